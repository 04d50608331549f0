// What TFLM says while one request is worked on. It becomes an ERROR's text or LOG frames, never output of its own.
#ifndef RUNNER_LOG_H_
#define RUNNER_LOG_H_

#include <stdarg.h>
#include <stddef.h>

namespace runner {

// Keeps the first words and drops the rest: what goes wrong first names the cause.
class LogText {
 public:
  void Append(const char* text);
  // One message and a line end; TFLM's own formatter, which knows %d %u %x %f %s.
  void Format(const char* format, va_list args);
  void Print(const char* format, ...);
  void Clear() { size_ = 0; }

  const char* text() const { return text_; }
  // Without line ends at the end.
  size_t size() const;

 private:
  char text_[480];
  size_t size_ = 0;
};

extern LogText g_log;

}  // namespace runner

#endif  // RUNNER_LOG_H_
