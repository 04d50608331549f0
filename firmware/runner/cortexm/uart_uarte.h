// Nordic nRF52 UARTE, byte by byte. Source: nRF52840 Product Specification, "UARTE".
//
// It knows no data registers: each byte goes by DMA to or from RAM. Only Renode runs this. Its receiver stores what comes
// while ENDRX is clear, also behind the end of the buffer, and what waits in its queue only with the next STARTRX: hence
// the order in Get. (On silicon, where STARTRX takes no byte back, a deeper buffer would be needed.)
#ifndef RUNNER_CORTEXM_UART_UARTE_H_
#define RUNNER_CORTEXM_UART_UARTE_H_

#include "registers.h"

namespace runner {

// In RAM, where the DMA gets to.
static volatile uint8_t g_uarte_received;
static volatile uint8_t g_uarte_sent;

struct Uart {
  static void Init() {
    Register(kBaud) = 0x10000000;  // the fastest: 1 Mbaud
    Register(kReceiveTo) = Address(&g_uarte_received);
    Register(kReceiveCount) = 1;
    Register(kSendFrom) = Address(&g_uarte_sent);
    Register(kSendCount) = 1;
    Register(kInterruptSet) = 1u << 4;  // ENDRX; whether it gets anywhere is the interrupt controller's matter
    Register(kEnable) = 8;
    Register(kStartReceive) = 1;
  }
  static bool Ready() { return Register(kReceived); }
  static uint8_t Get() {
    uint8_t byte = g_uarte_received;
    // To the buffer's begin; then let the next byte in; then look whether one waits.
    Register(kStartReceive) = 1;
    Register(kReceived) = 0;
    Register(kStartReceive) = 1;
    return byte;
  }
  static void Put(uint8_t byte) {
    g_uarte_sent = byte;
    Register(kSent) = 0;
    Register(kStartSend) = 1;
    while (!Register(kSent)) {
    }
  }
  static void InterruptOn() {}
  static void InterruptOff() {}

 private:
  static uint32_t Address(const volatile uint8_t* byte) {
    return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(byte));
  }

  static constexpr uintptr_t kStartReceive = PORT_UART_BASE;
  static constexpr uintptr_t kStartSend = PORT_UART_BASE + 0x008;
  static constexpr uintptr_t kReceived = PORT_UART_BASE + 0x110;  // EVENTS_ENDRX
  static constexpr uintptr_t kSent = PORT_UART_BASE + 0x120;      // EVENTS_ENDTX
  static constexpr uintptr_t kInterruptSet = PORT_UART_BASE + 0x304;
  static constexpr uintptr_t kEnable = PORT_UART_BASE + 0x500;
  static constexpr uintptr_t kBaud = PORT_UART_BASE + 0x524;
  static constexpr uintptr_t kReceiveTo = PORT_UART_BASE + 0x534;
  static constexpr uintptr_t kReceiveCount = PORT_UART_BASE + 0x538;
  static constexpr uintptr_t kSendFrom = PORT_UART_BASE + 0x544;
  static constexpr uintptr_t kSendCount = PORT_UART_BASE + 0x548;
};

}  // namespace runner

#endif  // RUNNER_CORTEXM_UART_UARTE_H_
