// What the fault report needs of the running program.
#ifndef RUNNER_CORTEXM_MAIN_H_
#define RUNNER_CORTEXM_MAIN_H_

#include "../link.h"

namespace runner {

// The link to the farm; opened at the first call.
Link* OpenLink();

// The end of all work; what was written can still be read.
__attribute__((noreturn)) void Rest();

}  // namespace runner

#endif  // RUNNER_CORTEXM_MAIN_H_
