// The shared-memory link (../../PROTOCOL.md): rings in RAM that an emulator maps into the host, the UART as doorbell.
#ifndef RUNNER_CORTEXM_SHARED_MEMORY_H_
#define RUNNER_CORTEXM_SHARED_MEMORY_H_

#include "../link.h"

namespace runner {

class SharedMemoryLink : public Link {
 public:
  // Whether the farm has laid out rings at `base` that fit into `size` bytes; takes them if so.
  bool Open(uintptr_t base, size_t size);

  void Read(uint8_t* to, size_t size) override;
  void Write(const uint8_t* from, size_t size) override;
  void Flush() override;

 private:
  struct Ring {
    volatile uint32_t* head;  // bytes ever written
    volatile uint32_t* tail;  // bytes ever read
    uint8_t* bytes;
    uint32_t size;  // a power of two
  };

  volatile uint32_t* Control(uintptr_t offset) const { return reinterpret_cast<volatile uint32_t*>(base_ + offset); }
  bool TakeRing(Ring* ring, uintptr_t place, uintptr_t head, uintptr_t tail, size_t size);
  void Publish();
  void Sleep(volatile uint32_t* word, uint32_t seen);

  uintptr_t base_ = 0;
  Ring in_ = {};
  Ring out_ = {};
  // How far this side has got. The farm is told when a frame ends, or before this side sleeps: telling it of
  // every few bytes would wake it for nothing.
  uint32_t read_ = 0;
  uint32_t written_ = 0;
};

}  // namespace runner

#endif  // RUNNER_CORTEXM_SHARED_MEMORY_H_
