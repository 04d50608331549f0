// From reset to main, and every other vector to the fault report.
#include <stdint.h>
#include <string.h>

extern uint32_t __data_load, __data_start, __data_end, __bss_start, __bss_end, __stack_bottom, __stack_top;
extern void (*__init_array_start[])(void);
extern void (*__init_array_end[])(void);
int main(void);
void SysTick_Handler(void);
void Reset_Handler(void);
void Fault_Handler(void);

#define SCB_VTOR (*(volatile uint32_t*)0xE000ED08)
#define SCB_CCR (*(volatile uint32_t*)0xE000ED14)
#define SCB_SHCSR (*(volatile uint32_t*)0xE000ED24)
#define SCB_CPACR (*(volatile uint32_t*)0xE000ED88)
#define MPU_TYPE (*(volatile uint32_t*)0xE000ED90)
#define MPU_CTRL (*(volatile uint32_t*)0xE000ED94)
#define MPU_RBAR (*(volatile uint32_t*)0xE000ED9C)
#define MPU_RASR (*(volatile uint32_t*)0xE000EDA0)

// No external interrupt is ever taken (the UART's only ends a sleep): one that is, is a fault, and so is every
// exception but SysTick.
#define EXTERNAL_INTERRUPTS 48
__attribute__((section(".vectors"), used)) void (*const vectors[16 + EXTERNAL_INTERRUPTS])(void) = {
    (void (*)(void))&__stack_top,
    Reset_Handler,
    [2 ... 14] = Fault_Handler,
    [15] = SysTick_Handler,
    [16 ... 15 + EXTERNAL_INTERRUPTS] = Fault_Handler,
};

// The stack lies at the bottom of RAM (see link.ld.in). What is below it faults on some chips, and swallows writes on
// others.
static void GuardStack(void) {
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
  __asm volatile("msr msplim, %0" ::"r"(&__stack_bottom));
#elif !defined(__ARM_ARCH_6M__)
  if ((MPU_TYPE & 0xFF00) == 0) return;  // no regions: this chip was made without an MPU
  const uint32_t guard = 4096;
  MPU_RBAR = ((uint32_t)(uintptr_t)&__stack_bottom - guard) | 1u << 4;
  MPU_RASR = 11u << 1 | 1;  // 2^(11+1) bytes, no access
  MPU_CTRL = 5;             // on, with the default map for all else
  __asm volatile("dsb\n isb");
#endif
}

__attribute__((noreturn)) void Reset_Handler(void) {
#if !defined(__ARM_ARCH_6M__)
  SCB_VTOR = (uint32_t)(uintptr_t)vectors;
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
  main();
  for (;;) {
  }
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
