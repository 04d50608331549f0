Feature: micro_speech hears yes and no
  A quantised network on the spectra of one second of sound.

  Background:
    Given the model "micro_speech" and the dataset "yes_no"

  @smoke
  Scenario: the container hears them
    When it runs on the container
    Then every sample is classified correctly
    And the outputs are
      | sample                           | silence | unknown | yes | no  |
      | yes_micro_f2e59fea_nohash_1.data | 0       | 0       | 255 | 0   |
      | no_micro_f9643d42_nohash_4.data  | 0       | 17      | 0   | 239 |

  Scenario: every microcontroller that it fits hears the same, to the bit
    When it runs on every emulator that it fits
    Then the outputs are bit-identical to the container's
    And the recall of class "yes" is at least 100 %
    And the instructions max is at most 25,000,000
    And the arena used is at most 8 KiB
