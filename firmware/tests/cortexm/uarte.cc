// The UARTE's driver against a model of Renode's UARTE: bytes come in bursts between any two accesses to its registers.
// The model follows Renode's NRF52840_UART with EasyDMA: what comes while ENDRX is set waits, and is looked at again only
// with STARTRX or the next byte; what comes while it is clear is stored without a look at the buffer's size.
//
//   uarte SEED CHANCE     a burst comes with one in CHANCE accesses
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <deque>
#include <random>

#define RUNNER_CORTEXM_REGISTERS_H_  // in place of the registers of a chip
#define PORT_UART_BASE 0

namespace {

constexpr unsigned kTotal = 20000;

std::mt19937 g_random;
unsigned g_chance;
bool g_sending = false;
unsigned g_next = 0;
std::deque<uint8_t> g_queue;
std::deque<uint8_t> g_heard;

bool g_started, g_received, g_sent;
uint32_t g_receive_to, g_receive_count, g_send_from, g_at, g_amount;

uint8_t Expected(unsigned index) { return static_cast<uint8_t>((index * 37) + (index >> 8)); }

volatile uint8_t* At(uint32_t address) { return reinterpret_cast<volatile uint8_t*>(static_cast<uintptr_t>(address)); }

void Fail(const char* what, unsigned index) {
  printf("%s, at byte %u\n", what, index);
  exit(1);
}

// One byte out of the queue into memory, if it gets there.
void Transfer() {
  if (!g_started) {
    g_queue.pop_front();
    return;
  }
  if (g_received) return;
  if (g_at != g_receive_to) Fail("a byte went behind the buffer", g_next);
  *At(g_at) = g_queue.front();
  g_queue.pop_front();
  ++g_at;
  if (++g_amount == g_receive_count) g_received = true;
}

void PerhapsABurst() {
  if (!g_sending || g_next == kTotal || g_random() % g_chance != 0) return;
  for (unsigned left = 1 + (g_random() % 20); left > 0 && g_next < kTotal; --left) {
    g_queue.push_back(Expected(g_next++));
    Transfer();
  }
}

struct Cell {
  uintptr_t offset;

  operator uint32_t() const {
    PerhapsABurst();
    return offset == 0x110 ? g_received : offset == 0x120 ? g_sent : 0;
  }
  void operator=(uint32_t value) const {
    PerhapsABurst();
    switch (offset) {
      case 0x000:
        g_amount = 0;
        g_at = g_receive_to;
        g_started = true;
        if (!g_queue.empty()) Transfer();
        break;
      case 0x008:
        g_sent = true;
        g_heard.push_back(static_cast<uint8_t>(*At(g_send_from)));
        break;
      case 0x110: g_received = value; break;
      case 0x120: g_sent = value; break;
      case 0x534: g_receive_to = value; break;
      case 0x538: g_receive_count = value; break;
      case 0x544: g_send_from = value; break;
    }
  }
};

}  // namespace

namespace runner {
inline Cell Register(uintptr_t address) { return Cell{address}; }
}  // namespace runner

#include "cortexm/uart_uarte.h"

int main(int, char** arguments) {
  g_random.seed(static_cast<unsigned>(atoi(arguments[1])));
  g_chance = static_cast<unsigned>(atoi(arguments[2]));
  runner::Uart::Init();
  g_sending = true;
  for (unsigned index = 0; index < kTotal; ++index) {
    for (unsigned looks = 0; !runner::Uart::Ready(); ++looks) {
      if (looks > 1000 && !g_queue.empty()) Fail("what waits is never told", index);
    }
    uint8_t byte = runner::Uart::Get();
    if (byte != Expected(index)) Fail("another byte than was sent", index);
    if (index % 7 == 0) {
      runner::Uart::Put(byte);
      if (g_heard.back() != byte) Fail("another byte went out", index);
    }
  }
  return 0;
}
