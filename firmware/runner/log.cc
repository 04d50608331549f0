// The log: see log.h.
#include "log.h"

#include <string.h>

#include "tensorflow/lite/micro/debug_log.h"
#include "tensorflow/lite/micro/micro_string.h"

namespace runner {

LogText g_log;

void LogText::Append(const char* text) {
  size_t size = strlen(text);
  size_t room = sizeof text_ - size_;
  if (size > room) size = room;
  memcpy(text_ + size_, text, size);
  size_ += size;
}

void LogText::Format(const char* format, va_list args) {
  size_t room = sizeof text_ - size_;
  if (room < 2) return;
  size_ += MicroVsnprintf(text_ + size_, static_cast<int>(room), format, args) - 1;
  if (size_ > 0 && text_[size_ - 1] != '\n') Append("\n");
}

void LogText::Print(const char* format, ...) {
  va_list args;
  va_start(args, format);
  Format(format, args);
  va_end(args);
}

size_t LogText::size() const {
  size_t size = size_;
  while (size > 0 && (text_[size - 1] == '\n' || text_[size - 1] == '\r' || text_[size - 1] == ' ')) --size;
  return size;
}

}  // namespace runner

// TFLM's hook for text.
extern "C" void DebugLog(const char* text) { runner::g_log.Append(text); }
