// The smallest firmware that speaks RTT: answers each byte with its successor, except for those that make it fail.
typedef unsigned int u32;

extern u32 stack_top, bss_start, bss_end;
void Reset(void);
static void Fault(void);

__attribute__((section(".vectors"), used)) void (*const vectors[16])(void) = {
    (void (*)(void))&stack_top, Reset, Fault, Fault, Fault, Fault, Fault,
};

struct channel { const char *name; char *buffer; u32 size; volatile u32 written, read; u32 flags; };
__attribute__((section(".rtt"))) struct {
  char id[16];
  u32 up_channels, down_channels;
  struct channel up[1], down[1];
} _SEGGER_RTT;
static char up[64], down[256];
// Not cleared: what a debugger puts there while the core is halted after a reset.
__attribute__((section(".noinit"))) volatile u32 left_by_debugger;

static void put(char byte) {
  struct channel *channel = _SEGGER_RTT.up;
  u32 next = (channel->written + 1) % channel->size;
  while (next == channel->read) {
  }
  channel->buffer[channel->written] = byte;
  __asm__ volatile("dmb" ::: "memory");
  channel->written = next;
}

static void say(const char *text) {
  while (*text) put(*text++);
}

static void Fault(void) {
  say("fault");
  for (;;) {
  }
}

void Reset(void) {
  for (u32 *word = &bss_start; word < &bss_end; ++word) *word = 0;
  _SEGGER_RTT.up[0] = (struct channel){"up", up, sizeof up, 0, 0, 2};
  _SEGGER_RTT.down[0] = (struct channel){"down", down, sizeof down, 0, 0, 2};
  _SEGGER_RTT.up_channels = _SEGGER_RTT.down_channels = 1;
  __asm__ volatile("dmb" ::: "memory");
  for (int i = 0; i < 10; ++i) _SEGGER_RTT.id[i] = "SEGGER RTT"[i];
  say(left_by_debugger == 0x31545452 ? "asked" : "hello");
  struct channel *channel = _SEGGER_RTT.down;
  for (;;) {
    if (channel->read == channel->written) continue;
    char byte = channel->buffer[channel->read];
    channel->read = (channel->read + 1) % channel->size;
    switch (byte) {
      case 'L':  // a fault where none can be handled
        __asm__ volatile("cpsid f\n udf #0");
        break;
      case 'F':
        __asm__ volatile("udf #0");
        break;
      case 'R':  // AIRCR.SYSRESETREQ; RAM outlives it, and nobody is to find this run's control block in the next one
        _SEGGER_RTT.id[0] = 0;
        __asm__ volatile("dmb" ::: "memory");
        *(volatile u32 *)0xE000ED0C = 0x05FA0004;
        break;
      default:
        put(byte + 1);
    }
  }
}
