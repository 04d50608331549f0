// From reset to main, and every other vector to the fault report.
#include <stdint.h>
#include <string.h>

#include "core.h"

extern uint32_t __data_load, __data_start, __data_end, __bss_start, __bss_end, __stack_bottom, __stack_top;
extern void (*__init_array_start[])(void);
extern void (*__init_array_end[])(void);
int main(void);
void SysTick_Handler(void);
void Reset_Handler(void);
void Fault_Handler(void);

#define SYST_CSR (*(volatile uint32_t*)0xE000E010)
#define NVIC_ICER ((volatile uint32_t*)0xE000E180)
#define NVIC_ICPR ((volatile uint32_t*)0xE000E280)
#define SCB_ICSR (*(volatile uint32_t*)0xE000ED04)
#define SCB_VTOR (*(volatile uint32_t*)0xE000ED08)
#define SCB_CCR (*(volatile uint32_t*)0xE000ED14)
#define SCB_SHCSR (*(volatile uint32_t*)0xE000ED24)
#define SCB_CPACR (*(volatile uint32_t*)0xE000ED88)
#define MPU_TYPE (*(volatile uint32_t*)0xE000ED90)
#define MPU_CTRL (*(volatile uint32_t*)0xE000ED94)
#define MPU_RBAR (*(volatile uint32_t*)0xE000ED9C)
#define MPU_RASR (*(volatile uint32_t*)0xE000EDA0)

// No external interrupt is ever taken (the UART's only ends a sleep), and start-up turns all of them off: one that is
// taken all the same is a fault, and so is every exception but SysTick.
#define EXTERNAL_INTERRUPTS 48
__attribute__((section(".vectors"), used)) void (*const vectors[16 + EXTERNAL_INTERRUPTS])(void) = {
    (void (*)(void))&__stack_top,
    Reset_Handler,
    [2 ... 14] = Fault_Handler,
    [15] = SysTick_Handler,
    [16 ... 15 + EXTERNAL_INTERRUPTS] = Fault_Handler,
};

// After a reset nothing is on. But a chip's boot ROM, or a debugger that started us in RAM, may have left things so.
static void TurnInterruptsOff(void) {
#if defined(CORE_ARMV6M)
  const int words = 1;
#else
  const int words = 16;  // those of interrupts that the chip lacks ignore it
#endif
  for (int i = 0; i < words; ++i) {
    NVIC_ICER[i] = 0xFFFFFFFF;
    NVIC_ICPR[i] = 0xFFFFFFFF;
  }
  SYST_CSR = 0;
  SCB_ICSR = 1u << 25;  // SysTick is not pending
}

// The stack lies at the bottom of RAM (see link.ld.in). What is below it faults on some chips, and swallows writes on
// others.
static void GuardStack(void) {
#if defined(CORE_ARMV8M_MAIN)
  __asm volatile("msr msplim, %0" ::"r"(&__stack_bottom));
#elif defined(CORE_ARMV7M)
  if ((MPU_TYPE & 0xFF00) == 0) return;  // no regions: this chip was made without an MPU
  uint32_t bottom = (uint32_t)(uintptr_t)&__stack_bottom;
  // A region's size is a power of two, and it begins at a multiple of that: 4 KiB, or less where RAM begins oddly.
  uint32_t guard_bits = 12;
  while (bottom & ((1u << guard_bits) - 1)) --guard_bits;
  MPU_RBAR = (bottom - (1u << guard_bits)) | 1u << 4;
  MPU_RASR = (guard_bits - 1) << 1 | 1;  // no access
  MPU_CTRL = 5;                          // on, with the default map for all else
  __asm volatile("dsb\n isb");
#endif
}

__attribute__((noreturn, used)) static void Start(void) {
  TurnInterruptsOff();
#if !defined(CORE_ARMV6M) || defined(PORT_VTOR)
  SCB_VTOR = (uint32_t)(uintptr_t)vectors;
  __asm volatile("dsb");
#endif
#if defined(CORE_MAINLINE)
  SCB_SHCSR |= 7u << 16;  // MemManage, BusFault and UsageFault get vectors of their own
  SCB_CCR |= 1u << 4;     // a division by zero is a fault, as it is on the host
#endif
  GuardStack();
#if defined(__ARM_FP)
  SCB_CPACR |= 0xFu << 20;
  __asm volatile("dsb\n isb");
#endif
  memcpy(&__data_start, &__data_load, (uintptr_t)&__data_end - (uintptr_t)&__data_start);
  memset(&__bss_start, 0, (uintptr_t)&__bss_end - (uintptr_t)&__bss_start);
  for (void (**init)(void) = __init_array_start; init < __init_array_end; ++init) (*init)();
  __asm volatile("cpsie i" ::: "memory");
  main();
  for (;;) {
  }
}

// Whoever jumps here instead of resetting the core finds the stack as a reset would leave it.
__attribute__((naked, noreturn)) void Reset_Handler(void) {
  __asm volatile(
      "cpsid i\n"
      "movs r0, #0\n"
#if defined(CORE_ARMV8M_MAIN)
      "msr msplim, r0\n"
#endif
      "msr control, r0\n"
      "isb\n"
      "ldr r1, =__stack_top\n"
      "mov sp, r1\n"
      "ldr r1, =Start\n"
      "bx r1\n"
      ".pool\n");
}

// Hands the stack pointer at the fault and the vector's number to ReportFault. Where the stack has run out, or nearly,
// ReportFault gets it from the top again: what the core pushed lies at the bottom then, out of its way. Nothing returns
// from here.
__attribute__((naked)) void Fault_Handler(void) {
  __asm volatile(
      "mov r0, sp\n"
      "mrs r1, ipsr\n"
      "ldr r2, =__stack_bottom + 512\n"
      "cmp r0, r2\n"
      "bhs 1f\n"
      "ldr r2, =__stack_top\n"
      "mov sp, r2\n"
      "1: ldr r2, =ReportFault\n"
      "bx r2\n"
      ".pool\n");
}
