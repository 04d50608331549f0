// The last words of a core that took a fault or an interrupt that nobody asked for: the log so far, then a FAULT frame.
#include <stdint.h>

#include "../log.h"
#include "../protocol.h"
#include "core.h"
#include "main.h"
#include "registers.h"

extern "C" uint8_t __ram_start, __ram_end;

namespace runner {
namespace {

// What the core pushed: r0, r1, r2, r3, r12, lr, pc, xPSR.
constexpr int kPushed = 8;

bool InRam(uint32_t address, uint32_t size) {
  uint32_t start = reinterpret_cast<uintptr_t>(&__ram_start);
  uint32_t end = reinterpret_cast<uintptr_t>(&__ram_end);
  return address >= start && address < end && end - address >= size;
}

bool StackLimitHit() {
#if defined(CORE_ARMV8M_MAIN)
  return Register(kConfigurableFault) & (1u << 20);
#else
  return false;
#endif
}

}  // namespace

extern "C" void __attribute__((noreturn, used)) ReportFault(uint32_t stack, uint32_t vector) {
  Register(kSysTickControl) = 0;
  FrameWriter writer(OpenLink());
  // A stack that ran out is below RAM, and there is no frame to read; or the core stopped it there (Armv8-M).
  const uint32_t* pushed = InRam(stack, kPushed * 4) ? reinterpret_cast<const uint32_t*>(stack) : nullptr;
  if (pushed == nullptr || StackLimitHit()) g_log.Print("the stack has run out");
  if (g_log.size() > 0) writer.Log(g_log.text(), g_log.size());
  writer.Begin(kFault, 0, (1 + kPushed + 4) * 4);
  writer.Put32(vector);
  for (int i = 0; i < kPushed; ++i) writer.Put32(pushed ? pushed[i] : 0);
#if defined(CORE_MAINLINE)
  writer.Put32(Register(kConfigurableFault));
  writer.Put32(Register(kHardFault));
  writer.Put32(Register(kMemManageAddress));
  writer.Put32(Register(kBusFaultAddress));
#else
  for (int i = 0; i < 4; ++i) writer.Put32(0);
#endif
  writer.End();
  Rest();
}

}  // namespace runner
