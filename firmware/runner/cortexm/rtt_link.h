// RTT as a link (../../PROTOCOL.md): two rings in RAM that a debug probe reads and writes while the core runs.
// Source of the layout: SEGGER, "J-Link / J-Trace User Guide" (UM08001), "RTT".
#ifndef RUNNER_CORTEXM_RTT_LINK_H_
#define RUNNER_CORTEXM_RTT_LINK_H_

#include "../link.h"

namespace runner {

// One channel. An offset is below the size; equal offsets mean empty, so one byte is never used.
struct RttChannel {
  const char* name;
  uint8_t* bytes;
  uint32_t size;
  volatile uint32_t written;  // where the next byte goes: the writer's
  volatile uint32_t read;     // where the next byte comes from: the reader's
  uint32_t flags;
};

struct RttControl {
  char id[16];  // "SEGGER RTT" once all else is in place
  int32_t up_channels;
  int32_t down_channels;
  RttChannel up;    // to the farm
  RttChannel down;  // from the farm
};

class RttLink : public Link {
 public:
  // Makes the control block: a probe finds it from here on.
  void Open();

  // None of them sleeps: many chips take the probe's access to RAM away while the core does.
  void Read(uint8_t* to, size_t size) override;
  void Write(const uint8_t* from, size_t size) override;
  void Flush() override;

 private:
  // How far this side has written. The farm is told when a frame ends, or when there is no more room.
  uint32_t written_ = 0;
};

}  // namespace runner

extern "C" runner::RttControl _SEGGER_RTT;

#endif  // RUNNER_CORTEXM_RTT_LINK_H_
