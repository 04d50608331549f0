// Arm PrimeCell PL011, as Stellaris chips have it. Source: Arm DDI 0183; TI LM3S6965 data sheet, "UARTs".
#ifndef RUNNER_CORTEXM_UART_PL011_H_
#define RUNNER_CORTEXM_UART_PL011_H_

#include "registers.h"

namespace runner {

struct Uart {
  static void Init() {
    Register(kControl) = 0x301;  // on, send and receive
    Register(kLine) = 0x70;      // 8 bits, with FIFOs
  }
  static bool Ready() { return !(Register(kFlags) & (1u << 4)); }
  static uint8_t Get() { return static_cast<uint8_t>(Register(kData)); }
  static void Put(uint8_t byte) {
    while (Register(kFlags) & (1u << 5)) {
    }
    Register(kData) = byte;
  }
  static void InterruptOn() { Register(kInterruptMask) = 0x50; }  // received; and received, with the FIFO part full
  static void InterruptOff() { Register(kInterruptMask) = 0; }

 private:
  static constexpr uintptr_t kData = PORT_UART_BASE;
  static constexpr uintptr_t kFlags = PORT_UART_BASE + 0x18;
  static constexpr uintptr_t kLine = PORT_UART_BASE + 0x2C;
  static constexpr uintptr_t kControl = PORT_UART_BASE + 0x30;
  static constexpr uintptr_t kInterruptMask = PORT_UART_BASE + 0x38;
};

}  // namespace runner

#endif  // RUNNER_CORTEXM_UART_PL011_H_
