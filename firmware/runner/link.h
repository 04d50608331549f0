// A byte stream that keeps order: the only thing that the protocol asks of a socket, a UART or shared memory.
#ifndef RUNNER_LINK_H_
#define RUNNER_LINK_H_

#include <stddef.h>
#include <stdint.h>

namespace runner {

class Link {
 public:
  // Both block until all of it is done. A stream that ends while reading ends the program in order.
  virtual void Read(uint8_t* to, size_t size) = 0;
  virtual void Write(const uint8_t* from, size_t size) = 0;
  // Lets the other side see all that was written: called at the end of every frame.
  virtual void Flush() = 0;

 protected:
  ~Link() {}  // links live as long as the program
};

}  // namespace runner

#endif  // RUNNER_LINK_H_
