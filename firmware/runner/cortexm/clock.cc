// The clock of one inference: SysTick, and the DWT's cycle counter where the core has one that counts.
//
// SysTick is restarted immediately before each inference, so that the first tick always falls on the same instruction:
// with QEMU's fixed icount the count is then the same to the tick in every run. It is off while the runner idles, for a
// running timer would keep the emulator from sleeping. Its interrupt counts its wraps, which makes it 64 bits long.
//
// The cycle counter is exact, and wraps within seconds on a fast core. Both count the core's clock, so SysTick says how
// often it wrapped.
#include "../clock.h"

#include "core.h"
#include "registers.h"
#include "wide.h"

namespace {

constexpr uint32_t kReload = 0x00FFFFFF;  // 24 bits, all there are

volatile uint32_t g_wraps;

}  // namespace

extern "C" void SysTick_Handler() { g_wraps = g_wraps + 1; }

namespace runner {
namespace {

bool g_counting;  // whether this inference is timed by the cycle counter
uint32_t g_first_cycle;

// Turns the cycle counter on, and looks whether it counts: it may be left out of a core, or out of an emulator.
bool CyclesCount() {
#if defined(CORE_MAINLINE)
  Register(kDebugControl) = Register(kDebugControl) | kTraceOn;
  if (!(Register(kDebugControl) & kTraceOn)) return false;  // there is no DWT
  uint32_t control = Register(kCycleControl);
  if (control & kNoCycleCounter) return false;
  if (!(control & 1)) {
    Register(kCycleUnlock) = kCycleKey;  // Cortex-M7 has a lock; others ignore it
    Register(kCycleControl) = control | 1;
  }
  uint32_t before = Register(kCycles);
  for (int i = 0; i < 8; ++i) {
    if (Register(kCycles) != before) return true;
  }
#endif
  return false;
}

// Returns straight to the caller of StartTicks, by a tail call where that one does more: the count has no part in that.
#if defined(CORE_MAINLINE)
__attribute__((noinline))
#endif
void StartSysTick() {
  Register(kSysTickControl) = 0;
  Register(kInterruptState) = kSysTickUnpend;
  Register(kSysTickReload) = kReload;
  Register(kSysTickValue) = 0;
  g_wraps = 0;
  Register(kSysTickControl) = 7;  // core clock, interrupt, on
  // The value is loaded on the next tick: from there it counts down.
  while (Register(kSysTickValue) == 0) {
  }
}

}  // namespace

ClockFacts Clock() { return ClockFacts{PORT_CLOCK_HZ, CyclesCount() ? kDwtCycles : kSysTick}; }

void StartTicks() {
  g_counting = CyclesCount();
  if (!g_counting) return StartSysTick();
  StartSysTick();
  // Last, so that what it takes to start the other is not counted.
  g_first_cycle = Register(kCycles);
}

uint64_t StopTicks() {
  uint32_t wraps;
  uint32_t value;
  bool pending;
  do {
    wraps = g_wraps;
    value = Register(kSysTickValue);
    pending = Register(kInterruptState) & kSysTickPending;
  } while (wraps != g_wraps);
  uint32_t cycles = g_counting ? Register(kCycles) - g_first_cycle : 0;
  Register(kSysTickControl) = 0;
  // A wrap whose interrupt was not taken yet: the value has just been reloaded, or is about to be (0).
  if (pending && (value > kReload / 2)) ++wraps;
  uint64_t ticks = (static_cast<uint64_t>(wraps) * (kReload + 1)) + (kReload - value);
  return g_counting ? Widen(cycles, ticks) : ticks;
}

}  // namespace runner
