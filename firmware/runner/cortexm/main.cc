// The runner on a microcontroller. The link is RTT where a probe asked for it, or where the port has nothing else; else
// shared memory, where the farm laid it out; else the UART.
#include "main.h"

#include "../service.h"
#if defined(PORT_RTT_UP)
#include "rtt_link.h"
#endif
#if defined(PORT_UART_BASE)
#include "uart_link.h"
#endif
#if defined(PORT_SHARED_MEMORY_BASE)
#include "shared_memory.h"
#endif

extern "C" uint8_t __arena_start, __arena_end;
extern "C" const uint8_t __model_start, __model_end;

#if defined(PORT_RTT_UP)
// Start-up leaves it as it is: a probe writes it between reset and the first instruction.
extern "C" {
extern volatile uint32_t link_request;
__attribute__((section(".noinit"))) volatile uint32_t link_request;
}
#endif

namespace runner {
namespace {

#if defined(PORT_RTT_UP)
constexpr uint32_t kRequestRtt = 0x31545452;  // "RTT1"

// Whether the probe's word asks for RTT. It counts for one start.
bool RttAsked() {
  bool asked = link_request == kRequestRtt;
  link_request = 0;
#if defined(PORT_UART_BASE)
  return asked;
#else
  (void)asked;
  return true;
#endif
}
#endif

bool g_may_sleep = true;

}  // namespace

Link* OpenLink() {
  static Link* link = nullptr;
  if (link != nullptr) return link;
#if defined(PORT_RTT_UP)
  // First of all: on a board the UART's pins and clock may be anything.
  static RttLink rtt;
  if (RttAsked()) {
    g_may_sleep = false;
    rtt.Open();
    return link = &rtt;
  }
#endif
#if defined(PORT_UART_BASE)
  InitUart();
#if defined(PORT_SHARED_MEMORY_BASE)
  static SharedMemoryLink shared;
  if (shared.Open(PORT_SHARED_MEMORY_BASE, PORT_SHARED_MEMORY_SIZE)) return link = &shared;
#endif
  static UartLink uart;
  link = &uart;
#endif
  return link;
}

void Rest() {
  for (;;) {
    if (g_may_sleep) __asm volatile("wfi");
  }
}

}  // namespace runner

int main() {
  static runner::Service service(runner::OpenLink(), &__arena_start, &__arena_end - &__arena_start, nullptr);
  service.Hold(&__model_start, &__model_end - &__model_start);
  service.Run();
}
