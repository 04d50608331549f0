// The shared-memory link: see shared_memory.h.
#if defined(PORT_SHARED_MEMORY_BASE)
#include "shared_memory.h"

#include <string.h>

#include "core.h"
#include "uart_link.h"

namespace runner {
namespace {

constexpr uint32_t kMagic = 0x4D534654;  // "TFSM"
constexpr uint32_t kLayout = 1;
constexpr uintptr_t kToGuestRing = 8;
constexpr uintptr_t kToHostRing = 16;
constexpr uintptr_t kToGuestHead = 64;
constexpr uintptr_t kToGuestTail = 128;
constexpr uintptr_t kToHostHead = 192;
constexpr uintptr_t kToHostTail = 256;
constexpr uintptr_t kGuestWaits = 320;
constexpr uintptr_t kFarmWaits = 384;
constexpr uint8_t kDoorbell = 0x21;

uint32_t Least(uint32_t a, uint32_t b) { return a < b ? a : b; }

}  // namespace

bool SharedMemoryLink::Open(uintptr_t base, size_t size) {
  base_ = base;
  if (*Control(0) != kMagic || *Control(4) != kLayout) return false;
  return TakeRing(&in_, kToGuestRing, kToGuestHead, kToGuestTail, size) &&
         TakeRing(&out_, kToHostRing, kToHostHead, kToHostTail, size);
}

bool SharedMemoryLink::TakeRing(Ring* ring, uintptr_t place, uintptr_t head, uintptr_t tail, size_t size) {
  uint32_t offset = *Control(place);
  uint32_t length = *Control(place + 4);
  ring->head = Control(head);
  ring->tail = Control(tail);
  ring->bytes = reinterpret_cast<uint8_t*>(base_ + offset);
  ring->size = length;
  bool power_of_two = length != 0 && (length & (length - 1)) == 0;
  return power_of_two && offset < size && length <= size - offset;
}

void SharedMemoryLink::Read(uint8_t* to, size_t size) {
  while (size > 0) {
    uint32_t head = *in_.head;
    Barrier();
    uint32_t there = head - read_;
    if (there == 0) {
      Sleep(in_.head, head);
      continue;
    }
    uint32_t at = read_ & (in_.size - 1);
    uint32_t count = Least(Least(there, size), in_.size - at);
    memcpy(to, in_.bytes + at, count);
    to += count;
    size -= count;
    read_ += count;
  }
}

void SharedMemoryLink::Write(const uint8_t* from, size_t size) {
  while (size > 0) {
    uint32_t tail = *out_.tail;
    uint32_t room = out_.size - (written_ - tail);
    if (room == 0) {
      Sleep(out_.tail, tail);
      continue;
    }
    uint32_t at = written_ & (out_.size - 1);
    uint32_t count = Least(Least(room, size), out_.size - at);
    memcpy(out_.bytes + at, from, count);
    from += count;
    size -= count;
    written_ += count;
  }
}

void SharedMemoryLink::Flush() { Publish(); }

void SharedMemoryLink::Publish() {
  Barrier();
  if (*in_.tail == read_ && *out_.head == written_) return;
  *in_.tail = read_;
  *out_.head = written_;
  Barrier();
  if (*Control(kFarmWaits) == 1) {
    *Control(kFarmWaits) = 0;
    PutUart(kDoorbell);
  }
}

// Returns once `word`, which the farm writes, is no longer `seen`.
void SharedMemoryLink::Sleep(volatile uint32_t* word, uint32_t seen) {
  Publish();
  while (*word == seen) {
    // Old doorbells go first: one that is rung from here on is for the wait that starts here.
    DrainUart();
    *Control(kGuestWaits) = 1;
    Barrier();
    if (*word == seen) SleepUntilUartReceives();
  }
  *Control(kGuestWaits) = 0;
}

}  // namespace runner
#endif  // PORT_SHARED_MEMORY_BASE
