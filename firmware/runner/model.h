// The model as data: the image's header, and the checks that need no interpreter.
#ifndef RUNNER_MODEL_H_
#define RUNNER_MODEL_H_

#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

namespace runner {

constexpr size_t kImageHeaderBytes = 64;
constexpr size_t kSha256Bytes = 32;
// TFLM reads weights in place, so the model must lie as flatbuffers want it.
constexpr size_t kModelAlign = 16;

// A model image as it was found. `bytes` is null where nothing that could be a model lies there.
struct HeldModel {
  const uint8_t* bytes;
  uint32_t length;
  uint32_t crc;           // computed over what is there, whatever the header claims
  const uint8_t* sha256;  // as the header claims
  bool sound;
  Failure failure;  // where it is not sound: why
};

// Looks at the image at `image`, in a room of `room` bytes. A null image is no model.
HeldModel Examine(const uint8_t* image, size_t room);

}  // namespace runner

#endif  // RUNNER_MODEL_H_
