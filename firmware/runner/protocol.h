// The runner's protocol, version 1, as ../PROTOCOL.md lays it down: constants, CRC-32, and frames over a link.
#ifndef RUNNER_PROTOCOL_H_
#define RUNNER_PROTOCOL_H_

#include <stddef.h>
#include <stdint.h>

#include "link.h"

namespace runner {

constexpr uint8_t kSync0 = 0xA5;
constexpr uint8_t kSync1 = 0x5A;
constexpr uint8_t kProtocolVersion = 1;
constexpr size_t kHeaderBytes = 12;
// No request is longer: a header that says so is garbage which happens to pass its check.
constexpr uint32_t kLongestPayload = 256u * 1024 * 1024;

enum Kind : uint8_t {
  kHello = 0x01,
  kLoad = 0x02,
  kPrepare = 0x03,
  kInfer = 0x04,
  kHelloReply = 0x81,
  kPrepared = 0x82,
  kResult = 0x83,
  kError = 0xE0,
  kFault = 0xE1,
  kLog = 0xE2,
  kExited = 0xE3,
};

enum ErrorCode : uint16_t {
  kVersion = 1,
  kUnknownRequest = 2,
  kBadLength = 3,
  kNoModel = 4,
  kModelCorrupt = 5,
  kModelMisaligned = 6,
  kSchemaVersion = 7,
  kNotATfliteModel = 8,
  kUnsupportedOp = 9,
  kArenaTooSmall = 10,
  kAllocateFailed = 11,
  kInvokeFailed = 12,
  kNotPrepared = 13,
  kOutOfMemory = 14,
  kNotHere = 15,
};

enum ClockKind : uint8_t {
  kHostMonotonic = 0,
  kSysTick = 1,
  kDwtCycles = 2,
};

// Why a request was refused, as an ERROR frame says it. Where `text` is null, what TFLM said stands in for it.
struct Failure {
  ErrorCode code;
  uint32_t a;
  uint32_t b;
  const char* text;
};

// Goes on with a CRC-32 (IEEE 802.3, as zlib's crc32()); start with 0.
uint32_t Crc32(uint32_t crc, const void* data, size_t size);

struct Header {
  uint8_t version;
  uint8_t kind;
  uint16_t sequence;
  uint32_t length;
};

// Reads requests: a header, then its payload in as many pieces as the caller likes, then the CRC.
class FrameReader {
 public:
  explicit FrameReader(Link* link) : link_(link) {}

  // Waits for the next header, passing over whatever is none.
  Header Next();
  // Reads the payload's next bytes.
  void Read(void* to, size_t size);
  // Passes over what is left of the payload and reads the CRC: whether it is right.
  bool Finish();
  // How many bytes were passed over since this was last asked.
  uint32_t TakePassedOver();

 private:
  Link* link_;
  uint8_t window_[kHeaderBytes];
  uint32_t crc_ = 0;
  uint32_t left_ = 0;
  uint32_t passed_over_ = 0;
};

// Writes replies: Begin says the payload's length, any number of Put fill it, End closes the frame and sends it off.
class FrameWriter {
 public:
  explicit FrameWriter(Link* link) : link_(link) {}

  void Begin(Kind kind, uint16_t sequence, uint32_t length);
  void Put(const void* data, size_t size);
  void Put16(uint16_t value);
  void Put32(uint32_t value);
  void Put64(uint64_t value);
  void End();

  void Log(const char* text, size_t size);
  void Error(uint16_t sequence, const Failure& failure, const char* text, size_t size);

 private:
  Link* link_;
  uint32_t crc_ = 0;
};

}  // namespace runner

#endif  // RUNNER_PROTOCOL_H_
