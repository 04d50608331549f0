// What newlib asks of an operating system: a heap, and an end. The runner uses no files.
#include <errno.h>
#include <stdint.h>

extern char __heap_start, __heap_end;

void* _sbrk(int bytes) {
  static char* end = &__heap_start;
  if (bytes > &__heap_end - end) {
    errno = ENOMEM;
    return (void*)-1;
  }
  char* start = end;
  end += bytes;
  return start;
}

// abort() and a failed `new` end here: as a fault, so that the farm gets a report instead of silence.
__attribute__((noreturn)) void _exit(int status) {
  (void)status;
  __asm volatile("udf #0");
  for (;;) {
  }
}

// Divisions by zero where there is no instruction for them (Armv6-M, and 64 bits on all): a fault, as with one.
int __aeabi_idiv0(int result) { _exit(result); }

long long __aeabi_ldiv0(long long result) { _exit((int)result); }

int _kill(int pid, int signal) {
  (void)pid;
  _exit(signal);
}

int _getpid(void) { return 1; }
