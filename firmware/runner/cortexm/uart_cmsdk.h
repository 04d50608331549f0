// Arm CMSDK APB UART. Source: Arm DDI 0479, Cortex-M System Design Kit, "APB UART".
#ifndef RUNNER_CORTEXM_UART_CMSDK_H_
#define RUNNER_CORTEXM_UART_CMSDK_H_

#include "registers.h"

namespace runner {

struct Uart {
  static void Init() {
    Register(kBaud) = 16;  // the fastest: an emulated UART ignores the rate
    Register(kControl) = kSendReceive;
  }
  static bool Ready() { return Register(kState) & 2; }
  static uint8_t Get() { return static_cast<uint8_t>(Register(kData)); }
  static void Put(uint8_t byte) {
    while (Register(kState) & 1) {
    }
    Register(kData) = byte;
  }
  static void InterruptOn() { Register(kControl) = kSendReceive | 8; }
  static void InterruptOff() {
    Register(kControl) = kSendReceive;
    Register(kClear) = 2;
  }

 private:
  static constexpr uintptr_t kData = PORT_UART_BASE;
  static constexpr uintptr_t kState = PORT_UART_BASE + 0x04;
  static constexpr uintptr_t kControl = PORT_UART_BASE + 0x08;
  static constexpr uintptr_t kClear = PORT_UART_BASE + 0x0C;
  static constexpr uintptr_t kBaud = PORT_UART_BASE + 0x10;
  static constexpr uint32_t kSendReceive = 3;
};

}  // namespace runner

#endif  // RUNNER_CORTEXM_UART_CMSDK_H_
