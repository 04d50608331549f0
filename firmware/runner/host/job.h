// The process behind one connection: one runner, with limits of its own.
#ifndef RUNNER_HOST_JOB_H_
#define RUNNER_HOST_JOB_H_

namespace runner {

// Serves the connection until the peer hangs up. Never returns.
[[noreturn]] void ServeJob(int fd);

}  // namespace runner

#endif  // RUNNER_HOST_JOB_H_
