Feature: hello_world predicts a sine
  A fully connected network that has learnt the sine of x, with int8 inside. All other numbers are those of TFLM's
  reference kernels; the same bits come out of every target.

  @smoke
  Scenario: it is as exact on every target as it was trained to be
    Given the model "hello_world" and the dataset "sine"
    When it runs on every stage that it fits, accepted by
      | metric              | container | emulator    | board       |
      | mean absolute error | <= 0.0337 | <= 0.0337   | <= 0.0337   |
      | maximum error       | <= 0.131  | <= 0.131    | <= 0.131    |
      | outputs             |           | = container | = container |
      | instructions p99    |           | <= 13,000   |             |
      | arena used          | <= 4 KiB  | <= 2 KiB    | <= 2 KiB    |

  Scenario: a few points, given here
    Given the model "hello_world"
    And the dataset:
      | sample  | x      | y   |
      | nothing | 0      | 0.0 |
      | quarter | 1.5708 | 1.0 |
      | half    | 3.1416 | 0.0 |
    When it runs on the emulator "qemu:mps2-an386"
    Then the maximum error is at most 0.131
    And the outputs are bit-identical to the container's
