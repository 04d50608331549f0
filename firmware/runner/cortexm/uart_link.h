// The UART as a link, and the sleep until it receives.
#ifndef RUNNER_CORTEXM_UART_LINK_H_
#define RUNNER_CORTEXM_UART_LINK_H_

#include "../link.h"

namespace runner {

void InitUart();
// Sleeps until the UART holds a byte.
void SleepUntilUartReceives();
// Takes all bytes that the UART holds.
void DrainUart();
void PutUart(uint8_t byte);

class UartLink : public Link {
 public:
  void Read(uint8_t* to, size_t size) override;
  void Write(const uint8_t* from, size_t size) override;
  void Flush() override {}
};

}  // namespace runner

#endif  // RUNNER_CORTEXM_UART_LINK_H_
