// RTT: see rtt_link.h. The port says how large the rings are.
#if defined(PORT_RTT_UP)
#include "rtt_link.h"

#include <string.h>

#include "core.h"

runner::RttControl _SEGGER_RTT;

namespace runner {
namespace {

constexpr uint32_t kUp = PORT_RTT_UP;
constexpr uint32_t kDown = PORT_RTT_DOWN;
constexpr uint32_t kBlockIfFull = 2;

uint8_t g_up[kUp];
uint8_t g_down[kDown];

#if defined(__arm__)
static_assert(sizeof(RttControl) == 72, "the layout is not ours to choose");
#endif

uint32_t Least(uint32_t a, uint32_t b) { return a < b ? a : b; }

}  // namespace

void RttLink::Open() {
  RttControl& control = _SEGGER_RTT;
  memset(control.id, 0, sizeof control.id);
  control.up_channels = 1;
  control.down_channels = 1;
  control.up = RttChannel{"tinyfarm", g_up, kUp, 0, 0, kBlockIfFull};
  control.down = RttChannel{"tinyfarm", g_down, kDown, 0, 0, kBlockIfFull};
  // A probe that sees the whole name believes the rest. It is put together here, for a probe that searches memory would
  // find it as a constant too.
  strcpy(control.id + 7, "RTT");
  Barrier();
  memcpy(control.id, "SEGGER", 6);
  control.id[6] = ' ';
  Barrier();
}

void RttLink::Read(uint8_t* to, size_t size) {
  RttChannel& down = _SEGGER_RTT.down;
  while (size > 0) {
    uint32_t at = down.read;
    uint32_t written = down.written;
    // An offset beyond the ring is a probe's slip: nothing is taken until it is right.
    if (written == at || written >= kDown) continue;
    Barrier();
    uint32_t count = Least((written > at ? written : kDown) - at, size);
    memcpy(to, g_down + at, count);
    Barrier();
    down.read = at + count == kDown ? 0 : at + count;
    to += count;
    size -= count;
  }
}

void RttLink::Write(const uint8_t* from, size_t size) {
  RttChannel& up = _SEGGER_RTT.up;
  while (size > 0) {
    uint32_t read = up.read;
    // Up to the byte before the one that is read next, or to the ring's end.
    uint32_t end = read > written_ ? read - 1 : kUp - (read == 0);
    if (end == written_ || read >= kUp) {
      Flush();
      continue;
    }
    Barrier();
    uint32_t count = Least(end - written_, size);
    memcpy(g_up + written_, from, count);
    written_ = written_ + count == kUp ? 0 : written_ + count;
    from += count;
    size -= count;
  }
}

void RttLink::Flush() {
  Barrier();
  _SEGGER_RTT.up.written = written_;
}

}  // namespace runner
#endif  // PORT_RTT_UP
