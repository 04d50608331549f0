Feature: what would ship
  The general runner has every operator and speaks the farm's protocol. A product has neither: here the model is linked
  with just the operators that it uses, and flash and RAM are those of start-up code, TFLM, model and a small main.

  Scenario: hello_world is a product of 36 KiB
    Given the model "hello_world" linked into its own firmware and the dataset "sine_100"
    When it runs on the emulator "qemu:mps2-an386"
    And it runs on the emulator "qemu:stm32vldiscovery"
    Then the outputs are bit-identical to the container's
    And the flash is at most 36 KiB
    And the RAM is at most 12 KiB
