// Nordic nRF51 UART. Source: nRF51 Series Reference Manual, "UART".
#ifndef RUNNER_CORTEXM_UART_NRF_H_
#define RUNNER_CORTEXM_UART_NRF_H_

#include "registers.h"

namespace runner {

struct Uart {
  static void Init() {
    Register(kEnable) = 4;
    Register(kStartSend) = 1;
    Register(kStartReceive) = 1;
  }
  static bool Ready() { return Register(kReceived); }
  static uint8_t Get() {
    Register(kReceived) = 0;
    return static_cast<uint8_t>(Register(kReceiveData));
  }
  static void Put(uint8_t byte) {
    Register(kSent) = 0;
    Register(kSendData) = byte;
    while (!Register(kSent)) {
    }
  }
  static void InterruptOn() { Register(kInterruptSet) = 4; }
  static void InterruptOff() { Register(kInterruptReset) = 4; }

 private:
  static constexpr uintptr_t kStartReceive = PORT_UART_BASE;
  static constexpr uintptr_t kStartSend = PORT_UART_BASE + 0x008;
  static constexpr uintptr_t kReceived = PORT_UART_BASE + 0x108;
  static constexpr uintptr_t kSent = PORT_UART_BASE + 0x11C;
  static constexpr uintptr_t kInterruptSet = PORT_UART_BASE + 0x304;
  static constexpr uintptr_t kInterruptReset = PORT_UART_BASE + 0x308;
  static constexpr uintptr_t kEnable = PORT_UART_BASE + 0x500;
  static constexpr uintptr_t kReceiveData = PORT_UART_BASE + 0x518;
  static constexpr uintptr_t kSendData = PORT_UART_BASE + 0x51C;
};

}  // namespace runner

#endif  // RUNNER_CORTEXM_UART_NRF_H_
