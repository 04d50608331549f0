Feature: magic_wand knows a gesture
  A convolutional network in floating point. Targets may round its last bit differently, so that outputs are compared
  with a tolerance, and the class it decides for exactly.

  Background:
    Given the model "magic_wand" and the dataset "gestures"

  Scenario: a ring and a slope are known everywhere
    When it runs on every stage that it fits, accepted by
      | metric                | container | emulator                 | board                    |
      | misclassified samples | = 0       | = 0                      | = 0                      |
      | outputs               |           | within 1e-6 of container | within 1e-6 of container |
      | argmax                |           | = container              | = container              |
      | instructions max      |           | <= 8,000,000             |                          |
    Then the outputs are
      | sample                             | wing | ring  | slope | negative |
      | ring_micro_f9643d42_nohash_4.data  |      | 0.801 |       |          |
      | slope_micro_f2e59fea_nohash_1.data |      |       | 0.954 |          |
