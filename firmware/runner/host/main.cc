// The runner as a Linux program.
//   runner --fd N           serves the one connection that was inherited as file descriptor N, then ends
//   runner --listen PORT    accepts connections on all addresses (a container publishes the port); each gets a process
//   runner --version
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "supervisor.h"

namespace {

constexpr int kUsage = 2;

int Fail(const char* what) {
  fprintf(stderr, "runner: %s: %s\n", what, strerror(errno));
  return EXIT_FAILURE;
}

bool Number(const char* text, long most, int* number) {
  char* end;
  long value = strtol(text, &end, 10);
  *number = static_cast<int>(value);
  return *text != 0 && *end == 0 && value >= 0 && value <= most;
}

// A listening socket, or -1.
int Listen(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 64) != 0) return -1;
  return fd;
}

// Whoever asked for port 0 learns which one it became.
void SayPort(int listener) {
  sockaddr_in address = {};
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  printf("listening on port %d\n", ntohs(address.sin_port));
  fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && strcmp(words[1], "--version") == 0) {
    printf("runner %s %s TFLM %s\n", RUNNER_VERSION, RUNNER_DIGEST, TFLM_VERSION);
    return EXIT_SUCCESS;
  }
  int number = 0;
  bool fd = count == 3 && strcmp(words[1], "--fd") == 0 && Number(words[2], 1 << 20, &number);
  bool port = count == 3 && strcmp(words[1], "--listen") == 0 && Number(words[2], 65535, &number);
  if (!fd && !port) {
    fprintf(stderr, "usage: runner --fd N | --listen PORT | --version\n");
    return kUsage;
  }
  static runner::Supervisor supervisor;
  if (!supervisor.Open()) return Fail("cannot watch signals");
  if (fd) {
    supervisor.Adopt(number);
    return supervisor.Run(-1);
  }
  int listener = Listen(number);
  if (listener < 0) return Fail("cannot listen");
  SayPort(listener);
  return supervisor.Run(listener);
}
