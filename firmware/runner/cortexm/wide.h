// A counter that wraps, made wide by one that does not.
#ifndef RUNNER_CORTEXM_WIDE_H_
#define RUNNER_CORTEXM_WIDE_H_

#include <stdint.h>

namespace runner {

// The number nearest to `about` whose low 32 bits are `low`: right where the two differ by less than 2^31.
inline uint64_t Widen(uint32_t low, uint64_t about) {
  return about + static_cast<int32_t>(low - static_cast<uint32_t>(about));
}

}  // namespace runner

#endif  // RUNNER_CORTEXM_WIDE_H_
