// The runner on a microcontroller: the link is shared memory where the farm laid it out, else the UART.
#include "main.h"

#include "../service.h"
#include "uart_link.h"
#if defined(PORT_SHARED_MEMORY_BASE)
#include "shared_memory.h"
#endif

extern "C" uint8_t __arena_start, __arena_end;
extern "C" const uint8_t __model_start, __model_end;

namespace runner {

Link* OpenLink() {
  static Link* link = nullptr;
  if (link != nullptr) return link;
  InitUart();
#if defined(PORT_SHARED_MEMORY_BASE)
  static SharedMemoryLink shared;
  if (shared.Open(PORT_SHARED_MEMORY_BASE, PORT_SHARED_MEMORY_SIZE)) return link = &shared;
#endif
  static UartLink uart;
  return link = &uart;
}

}  // namespace runner

int main() {
  static runner::Service service(runner::OpenLink(), &__arena_start, &__arena_end - &__arena_start, nullptr);
  service.Hold(&__model_start, &__model_end - &__model_start);
  service.Run();
}
