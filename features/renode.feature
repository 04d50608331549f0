@renode
Feature: Renode does what QEMU does
  The firmware of QEMU's netduinoplus2, the same ELF, on Renode's STM32F4; and an nRF52840, which QEMU does not have.
  Renode is installed by `make renode`. Where it is not, this is blocked, and `make demo` leaves it out.

  Scenario Outline: <model> brings the same bits as on QEMU, by the same instructions within 1 %
    Given the model "<model>" and the dataset "<dataset>"
    When it runs on the emulator "qemu:netduinoplus2"
    And it runs on the emulator "renode:stm32f4_discovery"
    Then the outputs are bit-identical to the container's
    And the instructions median is between <least> and <most>

    Examples:
      | model        | dataset | least     | most      |
      | hello_world  | sine    | 4,878     | 4,976     |
      | micro_speech | yes_no  | 5,888,000 | 6,006,000 |

  Scenario Outline: <model> brings the same bits on the nRF52840
    Given the model "<model>" and the dataset "<dataset>"
    When it runs on the emulator "renode:nrf52840"
    Then the outputs are bit-identical to the container's

    Examples:
      | model        | dataset |
      | hello_world  | sine    |
      | micro_speech | yes_no  |
