// The request loop: see service.h.
#include "service.h"

#include <string.h>

#include "clock.h"
#include "log.h"

// A probe reads it to see what a board holds.
extern "C" {
extern const char runner_digest[];
const char runner_digest[] = RUNNER_DIGEST;
}

namespace runner {
namespace {

const char* const kStrings[] = {RUNNER_VERSION, runner_digest, TFLM_VERSION, PORT_CORE};
constexpr uint32_t kFixedHelloBytes = 20 + kSha256Bytes;

}  // namespace

void Service::Run() {
  Hello(0);
  for (;;) {
    Header request = reader_.Next();
    g_log.Clear();
    if (uint32_t bytes = reader_.TakePassedOver()) {
      g_log.Print("passed over %u bytes that are no frame", bytes);
      SendLog();
    }
    Serve(request);
  }
}

void Service::Serve(const Header& request) {
  if (request.version != kProtocolVersion) {
    if (Received()) Refuse(request, Failure{kVersion, request.version, kProtocolVersion, ""});
    return;
  }
  switch (request.kind) {
    case kHello:
      if (Received()) Hello(request.sequence);
      break;
    case kLoad:
      Load(request);
      break;
    case kPrepare:
      Prepare(request);
      break;
    case kInfer:
      Infer(request);
      break;
    default:
      if (Received()) Refuse(request, Failure{kUnknownRequest, request.kind, 0, ""});
  }
}

void Service::Hello(uint16_t sequence) {
  uint32_t size = kFixedHelloBytes;
  for (const char* string : kStrings) size += 1 + strlen(string);
  ClockFacts clock = Clock();
  bool has_model = held_.bytes != nullptr;
  writer_.Begin(kHelloReply, sequence, size);
  writer_.Put32(clock.hz);
  uint8_t kinds[4] = {clock.kind, has_model, 0, 0};
  writer_.Put(kinds, sizeof kinds);
  writer_.Put32(engine_.whole_arena());
  writer_.Put32(held_.length);
  writer_.Put32(held_.crc);
  static const uint8_t kNone[kSha256Bytes] = {};
  writer_.Put(has_model ? held_.sha256 : kNone, kSha256Bytes);
  for (const char* string : kStrings) {
    uint8_t length = strlen(string);
    writer_.Put(&length, 1);
    writer_.Put(string, length);
  }
  writer_.End();
}

void Service::Load(const Header& request) {
  if (room_ == nullptr) {
    if (Received()) Refuse(request, Failure{kNotHere, 0, 0, "the model lies beside the firmware"});
    return;
  }
  engine_.Forget();
  held_ = Examine(nullptr, 0);
  uint8_t* image = room_->Make(request.length);
  if (image == nullptr) {
    if (Received()) Refuse(request, Failure{kOutOfMemory, request.length, 0, "LOAD"});
    return;
  }
  reader_.Read(image, request.length);
  if (!Received()) return;
  if (request.length < kImageHeaderBytes) {
    Refuse(request, Failure{kBadLength, request.length, kImageHeaderBytes, "LOAD"});
    return;
  }
  held_ = Examine(image, request.length);
  if (held_.sound) {
    Hello(request.sequence);
  } else {
    Refuse(request, held_.failure);
  }
}

void Service::Prepare(const Header& request) {
  uint8_t limit[4];
  if (request.length != sizeof limit) {
    if (Received()) Refuse(request, Failure{kBadLength, request.length, sizeof limit, "PREPARE"});
    return;
  }
  reader_.Read(limit, sizeof limit);
  if (!Received()) return;
  Failure failure;
  uint32_t bytes = limit[0] | limit[1] << 8 | limit[2] << 16 | static_cast<uint32_t>(limit[3]) << 24;
  if (!engine_.Prepare(held_, bytes, &failure)) {
    Refuse(request, failure);
    return;
  }
  SendLog();
  writer_.Begin(kPrepared, request.sequence, 16);
  writer_.Put32(engine_.arena_size());
  writer_.Put32(engine_.arena_used());
  writer_.Put32(engine_.input_bytes());
  writer_.Put32(engine_.output_bytes());
  writer_.End();
}

void Service::Infer(const Header& request) {
  if (!engine_.prepared()) {
    if (Received()) Refuse(request, Failure{kNotPrepared, 0, 0, ""});
    return;
  }
  if (request.length != engine_.input_bytes()) {
    uint32_t wanted = engine_.input_bytes();
    if (Received()) Refuse(request, Failure{kBadLength, request.length, wanted, "INFER"});
    return;
  }
  // Straight into the tensors: small targets have no room for a second copy.
  for (size_t i = 0; i < engine_.inputs(); ++i) reader_.Read(engine_.input(i)->data.raw, engine_.input(i)->bytes);
  if (!Received()) return;
  uint64_t ticks;
  Failure failure;
  if (!engine_.Invoke(&ticks, &failure)) {
    Refuse(request, failure);
    return;
  }
  SendLog();
  writer_.Begin(kResult, request.sequence, 8 + engine_.output_bytes());
  writer_.Put64(ticks);
  for (size_t i = 0; i < engine_.outputs(); ++i) writer_.Put(engine_.output(i)->data.raw, engine_.output(i)->bytes);
  writer_.End();
}

// The rest of the request is in, and whole. Where it is not, nobody can say whose request it was: it is not answered,
// but it is not silently lost either.
bool Service::Received() {
  if (reader_.Finish()) return true;
  g_log.Print("passed over a frame whose CRC is wrong");
  SendLog();
  return false;
}

void Service::Refuse(const Header& request, const Failure& failure) {
  if (failure.text == nullptr) {
    writer_.Error(request.sequence, failure, g_log.text(), g_log.size());
    g_log.Clear();
  } else {
    SendLog();
    writer_.Error(request.sequence, failure, failure.text, strlen(failure.text));
  }
}

void Service::SendLog() {
  if (g_log.size() > 0) writer_.Log(g_log.text(), g_log.size());
  g_log.Clear();
}

}  // namespace runner
