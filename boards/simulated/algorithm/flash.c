// The flash algorithm of the simulated chips: probe-rs loads it into RAM and calls it, as it does with every chip's.
//
// A chip's flash controller is registers; QEMU has none. This one is called by a breakpoint that the core takes at
// `bkpt 0xF1`: the software probe sees it, does what r0 says (src/flash.rs), leaves the outcome in r0 (0: done) and lets
// the core go on behind it.
//
// Position-independent, for any Cortex-M. Built as algorithm/link.ld says; src/chips.rs' tests build it and compare.
typedef unsigned int u32;

enum command { UNLOCK = 1, LOCK = 2, ERASE_SECTOR = 3, PROGRAM = 4, ERASE_ALL = 5 };

static inline int flash(enum command command, u32 a, u32 b, u32 c) {
  register u32 r0 __asm__("r0") = command;
  register u32 r1 __asm__("r1") = a;
  register u32 r2 __asm__("r2") = b;
  register u32 r3 __asm__("r3") = c;
  __asm__ volatile("bkpt 0xF1" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3) : "memory");
  return (int)r0;
}

__attribute__((section(".entry.0"))) int Init(u32 address, u32 clock, u32 function) {
  (void)address, (void)clock, (void)function;
  return flash(UNLOCK, 0x45670123, 0xCDEF89AB, 0);
}

__attribute__((section(".entry.1"))) int UnInit(u32 function) {
  (void)function;
  return flash(LOCK, 0, 0, 0);
}

__attribute__((section(".entry.2"))) int EraseSector(u32 address) { return flash(ERASE_SECTOR, address, 0, 0); }

__attribute__((section(".entry.3"))) int ProgramPage(u32 address, u32 size, const unsigned char *data) {
  return flash(PROGRAM, address, size, (u32)data);
}

__attribute__((section(".entry.4"))) int EraseChip(void) { return flash(ERASE_ALL, 0, 0, 0); }
