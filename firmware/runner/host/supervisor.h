// The parent: gives every connection a process of its own and says how it ended.
#ifndef RUNNER_HOST_SUPERVISOR_H_
#define RUNNER_HOST_SUPERVISOR_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

namespace runner {

// It is meant to run as PID 1 of a container without capabilities, and works anywhere else as well. One thread, one
// poll: the children's ends and the signals that ask it to stop come in through a signalfd.
class Supervisor {
 public:
  // Starts watching signals: before any child.
  bool Open();
  // Gives `fd`, an open connection, a process; takes the fd over.
  void Adopt(int fd);
  // Accepts connections on `listener` (-1: none) until asked to stop, or, without a listener, until the last job ended.
  // The exit status of the program: without a listener, the job's.
  int Run(int listener);

 private:
  static constexpr size_t kMostJobs = 64;
  struct Job {
    pid_t process;
    int fd;
    bool hung_up;
  };

  void Accept(int listener);
  void Reap();
  void HangUp(Job* job);
  void StopAll();

  Job jobs_[kMostJobs];
  size_t count_ = 0;
  int signals_ = -1;
  int listener_ = -1;
  int last_status_ = 0;
};

}  // namespace runner

#endif  // RUNNER_HOST_SUPERVISOR_H_
