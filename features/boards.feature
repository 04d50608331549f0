Feature: a board does what its emulator does
  The shipped board is a simulated one: QEMU's netduinoplus2 behind a debug probe made of software. probe-rs attaches,
  flashes and talks to it as to silicon. It tells no time, and counts for no gate that asks for hardware.

  Scenario: the same firmware brings the same bits, by the same instructions
    Given the model "micro_speech" and the dataset "yes_no"
    When it runs on the emulator "qemu:netduinoplus2"
    And it runs on any board tagged "simulated"
    Then the outputs are bit-identical to those on "qemu:netduinoplus2"
    And every sample is classified correctly
