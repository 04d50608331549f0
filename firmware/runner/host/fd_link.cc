// A socket as a link: see fd_link.h.
#include "fd_link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

namespace runner {
namespace {

// The peer has gone: there is nobody to tell, and nothing is wrong here.
[[noreturn]] void HungUp() { _exit(0); }

}  // namespace

void FdLink::Read(uint8_t* to, size_t size) {
  while (size > 0) {
    if (in_at_ == in_end_) {
      ssize_t got = read(fd_, in_, sizeof in_);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) HungUp();
      in_at_ = 0;
      in_end_ = got;
    }
    size_t count = in_end_ - in_at_;
    if (count > size) count = size;
    memcpy(to, in_ + in_at_, count);
    in_at_ += count;
    to += count;
    size -= count;
  }
}

void FdLink::Write(const uint8_t* from, size_t size) {
  while (size > 0) {
    size_t count = sizeof out_ - out_end_;
    if (count > size) count = size;
    memcpy(out_ + out_end_, from, count);
    out_end_ += count;
    from += count;
    size -= count;
    if (out_end_ == sizeof out_) Flush();
  }
}

void FdLink::Flush() {
  size_t at = 0;
  while (at < out_end_) {
    ssize_t sent = send(fd_, out_ + at, out_end_ - at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) HungUp();
    at += sent;
  }
  out_end_ = 0;
}

}  // namespace runner
