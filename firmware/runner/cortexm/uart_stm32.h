// STM32 USART (F1, F2, F4). Source: ST RM0090, "USART registers".
#ifndef RUNNER_CORTEXM_UART_STM32_H_
#define RUNNER_CORTEXM_UART_STM32_H_

#include "registers.h"

namespace runner {

struct Uart {
  static void Init() {
    Register(kBaud) = 0x10;  // the fastest: an emulated UART ignores the rate
    Register(kControl) = kSendReceive;
  }
  static bool Ready() { return Register(kState) & (1u << 5); }
  static uint8_t Get() { return static_cast<uint8_t>(Register(kData)); }
  static void Put(uint8_t byte) {
    while (!(Register(kState) & (1u << 7))) {
    }
    Register(kData) = byte;
  }
  static void InterruptOn() { Register(kControl) = kSendReceive | (1u << 5); }
  static void InterruptOff() { Register(kControl) = kSendReceive; }

 private:
  static constexpr uintptr_t kState = PORT_UART_BASE;
  static constexpr uintptr_t kData = PORT_UART_BASE + 0x04;
  static constexpr uintptr_t kBaud = PORT_UART_BASE + 0x08;
  static constexpr uintptr_t kControl = PORT_UART_BASE + 0x0C;
  static constexpr uint32_t kSendReceive = 1u << 13 | 1u << 3 | 1u << 2;
};

}  // namespace runner

#endif  // RUNNER_CORTEXM_UART_STM32_H_
