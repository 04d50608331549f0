@slow
Feature: person_detection sees a person
  A quantised MobileNet on grey pictures of 96 x 96: some ninety million instructions for each, on these machines.

  @timeout.120s
  Scenario: a picture with a person and one without
    Given the model "person_detection" and the dataset "people"
    When it runs on every stage that it fits, accepted by:
      | metric                | container | emulator       | board       |
      | misclassified samples | = 0       | = 0            | = 0         |
      | outputs               |           | = container    | = container |
      | instructions max      |           | <= 100,000,000 |             |
    Then the outputs are
      | sample                              | unused | person | notperson |
      | person_image_data_grayscale.data    | 43     | 250    | 44        |
      | no_person_image_data_grayscale.data | 14     | 107    | 215       |
