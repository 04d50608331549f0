// The parent of all jobs: see supervisor.h.
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../protocol.h"
#include "job.h"

namespace runner {
namespace {

// The parent's own frames: short, and never waited for, because a peer that does not read must not stop the others.
class ShortLink : public Link {
 public:
  explicit ShortLink(int fd) : fd_(fd) {}
  void Read(uint8_t*, size_t) override {}
  void Write(const uint8_t* from, size_t size) override {
    if (size > sizeof frame_ - end_) return;
    memcpy(frame_ + end_, from, size);
    end_ += size;
  }
  void Flush() override { send(fd_, frame_, end_, MSG_NOSIGNAL | MSG_DONTWAIT); }

 private:
  int fd_;
  uint8_t frame_[256];
  size_t end_ = 0;
};

void SayExited(int fd, uint32_t signal, uint32_t status) {
  ShortLink link(fd);
  FrameWriter writer(&link);
  writer.Begin(kExited, 0, 8);
  writer.Put32(signal);
  writer.Put32(status);
  writer.End();
}

void SayNoProcess(int fd, const char* why) {
  ShortLink link(fd);
  FrameWriter(&link).Error(0, Failure{kOutOfMemory, 0, 0, nullptr}, why, strlen(why));
}

}  // namespace

bool Supervisor::Open() {
  sigset_t watched;
  sigemptyset(&watched);
  const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
  for (int signal : signals) sigaddset(&watched, signal);
  if (sigprocmask(SIG_BLOCK, &watched, nullptr) != 0) return false;
  signals_ = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  return signals_ >= 0;
}

void Supervisor::Adopt(int fd) {
  bool full = count_ == kMostJobs;
  pid_t process = full ? -1 : fork();
  if (process < 0) {
    SayNoProcess(fd, full ? "too many connections at once" : "no process to be had for this connection");
    close(fd);
    last_status_ = 1;
    return;
  }
  if (process == 0) {
    // Nothing of the parent's stays open: a neighbour's connection held here would never be seen to close.
    for (size_t i = 0; i < count_; ++i) close(jobs_[i].fd);
    if (listener_ >= 0) close(listener_);
    close(signals_);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ServeJob(fd);
  }
  jobs_[count_++] = Job{process, fd, false};
}

int Supervisor::Run(int listener) {
  listener_ = listener;
  for (;;) {
    if (listener < 0 && count_ == 0) return last_status_;
    pollfd watched[2 + kMostJobs];
    watched[0] = pollfd{signals_, POLLIN, 0};
    watched[1] = pollfd{listener, POLLIN, 0};
    for (size_t i = 0; i < count_; ++i) {
      // What the peer sends is for the child. One that hung up is not watched any more: it would be reported for ever.
      watched[2 + i] = pollfd{jobs_[i].hung_up ? -1 : jobs_[i].fd, POLLRDHUP, 0};
    }
    size_t jobs = count_;
    if (poll(watched, 2 + jobs, -1) < 0) {
      if (errno == EINTR) continue;
      StopAll();
      return 1;
    }
    for (size_t i = 0; i < jobs; ++i) {
      if (watched[2 + i].revents != 0) HangUp(&jobs_[i]);
    }
    if (watched[0].revents != 0) {
      signalfd_siginfo info;
      while (read(signals_, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD) continue;
        StopAll();
        return 0;
      }
      Reap();
    }
    if (watched[1].revents != 0) Accept(listener);
  }
}

void Supervisor::Accept(int listener) {
  int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Adopt(fd);
}

void Supervisor::Reap() {
  int status;
  pid_t process;
  while ((process = waitpid(-1, &status, WNOHANG)) > 0) {
    for (size_t i = 0; i < count_; ++i) {
      if (jobs_[i].process != process) continue;
      int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
      last_status_ = 0;
      if ((signal != 0 || code != 0) && !jobs_[i].hung_up) {
        SayExited(jobs_[i].fd, signal, code);
        last_status_ = signal != 0 ? 128 + signal : code;
      }
      close(jobs_[i].fd);
      jobs_[i] = jobs_[--count_];
      break;
    }
  }
}

// Nobody waits for an answer: whatever the child is busy with, it ends now.
void Supervisor::HangUp(Job* job) {
  job->hung_up = true;
  kill(job->process, SIGKILL);
}

void Supervisor::StopAll() {
  for (size_t i = 0; i < count_; ++i) kill(jobs_[i].process, SIGKILL);
  for (size_t i = 0; i < count_; ++i) waitpid(jobs_[i].process, nullptr, 0);
}

}  // namespace runner
