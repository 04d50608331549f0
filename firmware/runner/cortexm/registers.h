// The core's own registers that the runner touches, and access to memory-mapped ones.
// Source: Arm v6-M, v7-M and v8-M Architecture Reference Manuals, "System Control Space" and "Data Watchpoint and Trace".
#ifndef RUNNER_CORTEXM_REGISTERS_H_
#define RUNNER_CORTEXM_REGISTERS_H_

#include <stdint.h>

namespace runner {

inline volatile uint32_t& Register(uintptr_t address) { return *reinterpret_cast<volatile uint32_t*>(address); }

constexpr uintptr_t kSysTickControl = 0xE000E010;
constexpr uintptr_t kSysTickReload = 0xE000E014;
constexpr uintptr_t kSysTickValue = 0xE000E018;
constexpr uintptr_t kInterruptEnable = 0xE000E100;
constexpr uintptr_t kInterruptDisable = 0xE000E180;
constexpr uintptr_t kInterruptClear = 0xE000E280;
constexpr uintptr_t kInterruptState = 0xE000ED04;  // ICSR
constexpr uint32_t kSysTickPending = 1u << 26;
constexpr uint32_t kSysTickUnpend = 1u << 25;
constexpr uintptr_t kConfigurableFault = 0xE000ED28;  // CFSR
constexpr uintptr_t kHardFault = 0xE000ED2C;          // HFSR
constexpr uintptr_t kMemManageAddress = 0xE000ED34;   // MMFAR
constexpr uintptr_t kBusFaultAddress = 0xE000ED38;    // BFAR
constexpr uintptr_t kDebugControl = 0xE000EDFC;       // DEMCR
constexpr uint32_t kTraceOn = 1u << 24;
constexpr uintptr_t kCycleControl = 0xE0001000;  // DWT_CTRL
constexpr uint32_t kNoCycleCounter = 1u << 25;
constexpr uintptr_t kCycles = 0xE0001004;       // DWT_CYCCNT
constexpr uintptr_t kCycleUnlock = 0xE0001FB0;  // DWT_LAR
constexpr uint32_t kCycleKey = 0xC5ACCE55;

}  // namespace runner

#endif  // RUNNER_CORTEXM_REGISTERS_H_
