/* What the core has that not every Cortex-M has, and the barrier that all of them have. For C and C++. */
#ifndef RUNNER_CORTEXM_CORE_H_
#define RUNNER_CORTEXM_CORE_H_

#if defined(__ARM_ARCH_6M__)
#define CORE_ARMV6M 1
#elif defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__)
#define CORE_ARMV7M 1
#elif defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
#define CORE_ARMV8M_MAIN 1
#elif defined(__ARM_ARCH_8M_BASE__)
#define CORE_ARMV8M_BASE 1
#endif

/* Fault status registers, configurable faults, and maybe a cycle counter. */
#if defined(CORE_ARMV7M) || defined(CORE_ARMV8M_MAIN)
#define CORE_MAINLINE 1
#endif

/* Every access before it is seen by everyone before any access after it. */
static inline void Barrier(void) {
#if defined(__arm__)
  __asm volatile("dmb" ::: "memory");
#else /* the machine where tests of the rings run */
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

#endif /* RUNNER_CORTEXM_CORE_H_ */
