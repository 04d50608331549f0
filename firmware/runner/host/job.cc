// One connection's process: see job.h.
#include "job.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../service.h"
#include "fd_link.h"

namespace runner {
namespace {

constexpr size_t kArenaBytes = 16u * 1024 * 1024;
constexpr size_t kLongestImage = 64u * 1024 * 1024;
// Arena, model and what the program itself needs; a job that wants more gets an error, not its neighbours' memory.
constexpr rlim_t kAddressSpace = kArenaBytes + kLongestImage + 32u * 1024 * 1024;

void Limit(int resource, rlim_t value) {
  rlimit limit = {value, value};
  setrlimit(resource, &limit);
}

void* Map(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

class MappedRoom : public ModelRoom {
 public:
  uint8_t* Make(size_t size) override {
    if (memory_ != nullptr) munmap(memory_, size_);
    memory_ = size <= kLongestImage ? Map(size) : nullptr;
    size_ = size;
    return static_cast<uint8_t*>(memory_);
  }

 private:
  void* memory_ = nullptr;
  size_t size_ = 0;
};

}  // namespace

void ServeJob(int fd) {
  // The parent watches over this process; without it nobody would end an inference that never does.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Limit(RLIMIT_AS, kAddressSpace);
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_FSIZE, 0);
  static FdLink link(fd);
  static MappedRoom room;
  void* arena = Map(kArenaBytes);
  if (arena == nullptr) {
    FrameWriter(&link).Error(0, Failure{kOutOfMemory, kArenaBytes, 0, nullptr}, "arena", 5);
    exit(EXIT_FAILURE);
  }
  static Service service(&link, static_cast<uint8_t*>(arena), kArenaBytes, &room);
  service.Run();
  exit(EXIT_SUCCESS);
}

}  // namespace runner
