// Frames: see protocol.h.
#include "protocol.h"

#include <string.h>

namespace runner {
namespace {

// Half-byte table: 64 bytes instead of 1 KiB, for the targets whose flash is small.
const uint32_t kCrcOfNibble[16] = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

uint16_t Get16(const uint8_t* from) { return static_cast<uint16_t>(from[0] | from[1] << 8); }

uint32_t Get32(const uint8_t* from) { return Get16(from) | static_cast<uint32_t>(Get16(from + 2)) << 16; }

void Set32(uint8_t* to, uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

bool LooksLikeHeader(const uint8_t* bytes) {
  return bytes[0] == kSync0 && bytes[1] == kSync1 && Get16(bytes + 10) == static_cast<uint16_t>(Crc32(0, bytes, 10)) &&
         Get32(bytes + 6) <= kLongestPayload;
}

}  // namespace

uint32_t Crc32(uint32_t crc, const void* data, size_t size) {
  const uint8_t* bytes = static_cast<const uint8_t*>(data);
  crc = ~crc;
  while (size--) {
    crc ^= *bytes++;
    crc = kCrcOfNibble[crc & 15] ^ (crc >> 4);
    crc = kCrcOfNibble[crc & 15] ^ (crc >> 4);
  }
  return ~crc;
}

Header FrameReader::Next() {
  size_t have = 0;
  for (;;) {
    link_->Read(window_ + have, kHeaderBytes - have);
    if (LooksLikeHeader(window_)) break;
    // Go on at the next byte that may be a sync: all others cannot start a frame.
    size_t skip = 1;
    while (skip < kHeaderBytes && window_[skip] != kSync0) ++skip;
    have = kHeaderBytes - skip;
    memmove(window_, window_ + skip, have);
    passed_over_ += skip;
  }
  Header header;
  header.version = window_[2];
  header.kind = window_[3];
  header.sequence = Get16(window_ + 4);
  header.length = Get32(window_ + 6);
  crc_ = Crc32(0, window_, kHeaderBytes);
  left_ = header.length;
  return header;
}

void FrameReader::Read(void* to, size_t size) {
  link_->Read(static_cast<uint8_t*>(to), size);
  crc_ = Crc32(crc_, to, size);
  left_ -= size;
}

bool FrameReader::Finish() {
  uint8_t rest[64];
  while (left_ > 0) Read(rest, left_ < sizeof rest ? left_ : sizeof rest);
  link_->Read(rest, 4);
  return Get32(rest) == crc_;
}

uint32_t FrameReader::TakePassedOver() {
  uint32_t count = passed_over_;
  passed_over_ = 0;
  return count;
}

void FrameWriter::Begin(Kind kind, uint16_t sequence, uint32_t length) {
  uint8_t header[kHeaderBytes] = {kSync0, kSync1, kProtocolVersion, kind, static_cast<uint8_t>(sequence),
                                  static_cast<uint8_t>(sequence >> 8)};
  Set32(header + 6, length);
  uint32_t check = Crc32(0, header, 10);
  header[10] = static_cast<uint8_t>(check);
  header[11] = static_cast<uint8_t>(check >> 8);
  crc_ = 0;
  Put(header, sizeof header);
}

void FrameWriter::Put(const void* data, size_t size) {
  crc_ = Crc32(crc_, data, size);
  link_->Write(static_cast<const uint8_t*>(data), size);
}

void FrameWriter::Put16(uint16_t value) {
  uint8_t bytes[2] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8)};
  Put(bytes, sizeof bytes);
}

void FrameWriter::Put32(uint32_t value) {
  uint8_t bytes[4];
  Set32(bytes, value);
  Put(bytes, sizeof bytes);
}

void FrameWriter::Put64(uint64_t value) {
  Put32(static_cast<uint32_t>(value));
  Put32(static_cast<uint32_t>(value >> 32));
}

void FrameWriter::End() {
  Put32(crc_);
  link_->Flush();
}

void FrameWriter::Log(const char* text, size_t size) {
  Begin(kLog, 0, size);
  Put(text, size);
  End();
}

void FrameWriter::Error(uint16_t sequence, const Failure& failure, const char* text, size_t size) {
  Begin(kError, sequence, 12 + size);
  Put16(failure.code);
  Put16(0);
  Put32(failure.a);
  Put32(failure.b);
  Put(text, size);
  End();
}

}  // namespace runner
