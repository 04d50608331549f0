// What of the microcontrollers' half runs on any machine: `harness SEED BYTES`. The RTT link has a thread as its probe.
// Ends with 0 and silence, or says what is wrong. Sizes of the rings are the port's defines.
#include "cortexm/rtt_link.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "cortexm/core.h"
#include "cortexm/wide.h"

namespace {

using runner::RttChannel;
using runner::RttControl;
using runner::RttLink;

[[noreturn]] void Fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

void Expect(bool holds, const char* what) {
  if (!holds) Fail(what);
}

// What a probe does: moves what there is, at most `most` bytes, and says how many.
size_t Take(RttChannel* up, uint8_t* to, size_t most) {
  uint32_t written = up->written;
  Barrier();
  Expect(written < up->size, "the runner's offset is beyond its ring");
  size_t count = 0;
  uint32_t at = up->read;
  while (count < most && at != written) {
    to[count++] = up->bytes[at];
    at = at + 1 == up->size ? 0 : at + 1;
  }
  Barrier();
  up->read = at;
  return count;
}

size_t Give(RttChannel* down, const uint8_t* from, size_t most) {
  uint32_t read = down->read;
  Barrier();
  Expect(read < down->size, "the runner's offset is beyond its ring");
  size_t count = 0;
  uint32_t at = down->written;
  for (;;) {
    uint32_t next = at + 1 == down->size ? 0 : at + 1;
    if (count == most || next == read) break;
    down->bytes[at] = from[count++];
    at = next;
  }
  Barrier();
  down->written = at;
  return count;
}

std::vector<uint8_t> Noise(std::mt19937* random, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((*random)());
  return bytes;
}

void TheBlockIsAsProbesExpectIt(RttLink* link) {
  RttControl& control = _SEGGER_RTT;
  Expect(control.id[0] == 0, "there is a control block before it is made");
  // As after a reset that kept RAM.
  memset(&control, 0x5A, sizeof control);
  link->Open();
  Expect(memcmp(control.id, "SEGGER RTT\0\0\0\0\0\0", 16) == 0, "the name is wrong");
  Expect(control.up_channels == 1 && control.down_channels == 1, "the number of channels is wrong");
  Expect(control.up.size == PORT_RTT_UP && control.down.size == PORT_RTT_DOWN, "the sizes are not the port's");
  for (const RttChannel* channel : {&control.up, &control.down}) {
    Expect(channel->written == 0 && channel->read == 0, "a ring is not empty at first");
    Expect(channel->flags == 2, "a channel does not block where it is full");
  }
}

void NothingIsSeenBeforeTheFrameEnds(RttLink* link) {
  RttChannel& up = _SEGGER_RTT.up;
  const uint8_t bytes[] = {1, 2, 3};
  link->Write(bytes, sizeof bytes);
  Expect(up.written == up.read, "half a frame is seen");
  link->Flush();
  uint8_t got[8];
  Expect(Take(&up, got, sizeof got) == 3 && memcmp(got, bytes, 3) == 0, "the frame is not what was written");
}

// The runner echoes; the probe gives and takes in pieces of its own. In the middle it writes offsets that cannot be.
void EveryByteComesBackInOrder(RttLink* link, uint32_t seed, size_t total) {
  std::thread runner([=] {
    std::mt19937 random(seed + 1);
    for (size_t done = 0; done < total;) {
      std::vector<uint8_t> piece(std::min<size_t>(1 + random() % 300, total - done));
      link->Read(piece.data(), piece.size());
      size_t half = random() % (piece.size() + 1);
      link->Write(piece.data(), half);
      link->Write(piece.data() + half, piece.size() - half);
      link->Flush();
      done += piece.size();
    }
  });
  std::mt19937 random(seed);
  std::vector<uint8_t> sent = Noise(&random, total);
  std::vector<uint8_t> got(total);
  RttChannel& up = _SEGGER_RTT.up;
  RttChannel& down = _SEGGER_RTT.down;
  size_t given = 0;
  size_t taken = 0;
  bool slipped = false;
  while (taken < total) {
    given += Give(&down, &sent[0] + given, std::min<size_t>(random() % 200, total - given));
    taken += Take(&up, &got[0] + taken, std::min<size_t>(random() % 200, total - taken));
    if (!slipped && taken > total / 2) {
      slipped = true;
      uint32_t read = up.read;
      uint32_t written = down.written;
      up.read = PORT_RTT_UP + 7;
      down.written = 0xFFFFFFFF;
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      up.read = read;
      down.written = written;
    }
  }
  runner.join();
  Expect(sent == got, "what came back is not what was sent");
  Expect(up.read == up.written && down.read == down.written, "something is left over");
}

// A counter of cycles that wrapped any number of times, and a SysTick that is some ticks early or late.
void ACountersWrapsAreNotLost(uint32_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < 10000; ++i) {
    uint64_t cycles = random() >> (8 + random() % 56);
    uint64_t off = random() % 1000;
    uint64_t late = cycles + off;
    uint64_t early = cycles < off ? 0 : cycles - off;
    uint32_t low = static_cast<uint32_t>(cycles);
    Expect(runner::Widen(low, late) == cycles, "a late SysTick loses the count");
    Expect(runner::Widen(low, early) == cycles, "an early SysTick loses the count");
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) Fail("usage: harness SEED BYTES");
  static RttLink link;
  TheBlockIsAsProbesExpectIt(&link);
  NothingIsSeenBeforeTheFrameEnds(&link);
  uint32_t seed = static_cast<uint32_t>(atoi(words[1]));
  EveryByteComesBackInOrder(&link, seed, static_cast<size_t>(atoi(words[2])));
  ACountersWrapsAreNotLost(seed);
}
