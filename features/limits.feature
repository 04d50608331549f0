Feature: what does not fit is a fail that says so
  A model that is too large for a target, and an arena that is too small for a model, are known before the first
  inference. Here they are wanted, so that the scenarios pass.

  Rule: a model needs a place in flash

    Scenario Outline: person_detection is too large for <machine>
      Given the model "person_detection" and the dataset "people"
      When it is tried on the emulator "qemu:<machine>"
      Then it does not fit

      Examples:
        | machine          |
        | microbit         |
        | stm32vldiscovery |

  Rule: a model needs its arena

    Background:
      Given the model "hello_world" and the dataset "sine_100"

    Scenario: 2 KiB are enough for hello_world
      Given an arena of at most 2 KiB
      When it runs on the emulator "qemu:mps2-an386"
      Then the arena used is at most 2 KiB
      And the flash is between 16 KiB and 256 KiB

    Scenario: 1 KiB is not
      Given an arena of at most 1 KiB
      When it is tried on the emulator "qemu:mps2-an386"
      Then it fails because "arena too small"
