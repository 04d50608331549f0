// The model image: see model.h.
#include "model.h"

#include <string.h>

namespace runner {
namespace {

constexpr uint32_t kMagic = 0x494D4654;  // "TFMI"
constexpr uint32_t kImageVersion = 1;
constexpr uint32_t kErasedFlash = 0xFFFFFFFF;

uint32_t Word(const uint8_t* image, size_t offset) {
  uint32_t word;
  memcpy(&word, image + offset, sizeof word);
  return word;
}

HeldModel Unsound(HeldModel held, ErrorCode code, uint32_t expected, uint32_t found, const char* field) {
  held.sound = false;
  held.failure = Failure{code, expected, found, field};
  return held;
}

}  // namespace

HeldModel Examine(const uint8_t* image, size_t room) {
  HeldModel held = {};
  if (image == nullptr || room < kImageHeaderBytes) return Unsound(held, kNoModel, 0, 0, "");
  uint32_t magic = Word(image, 0);
  if (magic == 0 || magic == kErasedFlash) return Unsound(held, kNoModel, 0, 0, "");
  if (magic != kMagic) return Unsound(held, kModelCorrupt, kMagic, magic, "magic");
  uint32_t version = Word(image, 4);
  if (version != kImageVersion) return Unsound(held, kModelCorrupt, kImageVersion, version, "version");
  uint32_t length = Word(image, 8);
  uint32_t most = room - kImageHeaderBytes;
  if (length > most) return Unsound(held, kModelCorrupt, most, length, "length");

  held.bytes = image + kImageHeaderBytes;
  held.length = length;
  held.crc = Crc32(0, held.bytes, length);
  held.sha256 = image + 16;
  if (held.crc != Word(image, 12)) return Unsound(held, kModelCorrupt, Word(image, 12), held.crc, "crc");
  uintptr_t address = reinterpret_cast<uintptr_t>(held.bytes);
  if (address % kModelAlign != 0) return Unsound(held, kModelMisaligned, static_cast<uint32_t>(address), 0, "model");
  held.sound = true;
  return held;
}

}  // namespace runner
