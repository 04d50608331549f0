// A socket as a link.
#ifndef RUNNER_HOST_FD_LINK_H_
#define RUNNER_HOST_FD_LINK_H_

#include "../link.h"

namespace runner {

// Buffers both ways, so that a frame costs one system call each way. When the peer hangs up the process ends, in order.
class FdLink : public Link {
 public:
  explicit FdLink(int fd) : fd_(fd) {}

  void Read(uint8_t* to, size_t size) override;
  void Write(const uint8_t* from, size_t size) override;
  void Flush() override;

 private:
  int fd_;
  uint8_t in_[64 * 1024];
  size_t in_at_ = 0;
  size_t in_end_ = 0;
  uint8_t out_[64 * 1024];
  size_t out_end_ = 0;
};

}  // namespace runner

#endif  // RUNNER_HOST_FD_LINK_H_
