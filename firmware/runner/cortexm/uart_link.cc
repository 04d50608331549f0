// The UART: see uart_link.h. The driver is chosen by the port.
#if defined(PORT_UART_BASE)
#include "uart_link.h"

#if defined(PORT_UART_CMSDK)
#include "uart_cmsdk.h"
#elif defined(PORT_UART_STM32)
#include "uart_stm32.h"
#elif defined(PORT_UART_PL011)
#include "uart_pl011.h"
#elif defined(PORT_UART_NRF)
#include "uart_nrf.h"
#elif defined(PORT_UART_UARTE)
#include "uart_uarte.h"
#else
#error "the port names no UART driver that the runner has"
#endif

namespace runner {
namespace {

constexpr uintptr_t kWord = 4 * (PORT_UART_IRQ / 32);
constexpr uint32_t kBit = 1u << (PORT_UART_IRQ % 32);

}  // namespace

void InitUart() { Uart::Init(); }

void SleepUntilUartReceives() {
  while (!Uart::Ready()) {
    // A masked interrupt that becomes pending ends WFI without being taken. So the UART needs no handler, and a byte
    // that comes between the look and the sleep is not missed.
    __asm volatile("cpsid i" ::: "memory");
    Uart::InterruptOn();
    Register(kInterruptEnable + kWord) = kBit;
    if (!Uart::Ready()) __asm volatile("dsb\n wfi" ::: "memory");
    Register(kInterruptDisable + kWord) = kBit;
    Uart::InterruptOff();
    Register(kInterruptClear + kWord) = kBit;
    __asm volatile("cpsie i\n isb" ::: "memory");
  }
}

void DrainUart() {
  while (Uart::Ready()) Uart::Get();
}

void PutUart(uint8_t byte) { Uart::Put(byte); }

void UartLink::Read(uint8_t* to, size_t size) {
  while (size--) {
    SleepUntilUartReceives();
    *to++ = Uart::Get();
  }
}

void UartLink::Write(const uint8_t* from, size_t size) {
  while (size--) Uart::Put(*from++);
}

}  // namespace runner
#endif  // PORT_UART_BASE
