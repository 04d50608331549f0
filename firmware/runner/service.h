// The request loop: what the farm may ask, and what it is answered.
#ifndef RUNNER_SERVICE_H_
#define RUNNER_SERVICE_H_

#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "link.h"
#include "model.h"
#include "protocol.h"

namespace runner {

// Where a runner keeps a model that is sent to it.
class ModelRoom {
 public:
  // Room for `size` bytes, aligned to kModelAlign; null where there is none. What was given before is gone.
  virtual uint8_t* Make(size_t size) = 0;

 protected:
  ~ModelRoom() {}
};

class Service {
 public:
  // `room` is null where the model lies beside the firmware.
  Service(Link* link, uint8_t* arena, size_t arena_size, ModelRoom* room)
      : reader_(link), writer_(link), engine_(arena, arena_size), room_(room), held_(Examine(nullptr, 0)) {}

  // Takes the model image that lies beside the firmware.
  void Hold(const uint8_t* image, size_t room) { held_ = Examine(image, room); }
  // Says HELLO and serves until the link ends.
  void Run();

 private:
  void Serve(const Header& request);
  void Hello(uint16_t sequence);
  void Load(const Header& request);
  void Prepare(const Header& request);
  void Infer(const Header& request);
  bool Received();
  void Refuse(const Header& request, const Failure& failure);
  void SendLog();

  FrameReader reader_;
  FrameWriter writer_;
  Engine engine_;
  ModelRoom* room_;
  HeldModel held_;
};

}  // namespace runner

#endif  // RUNNER_SERVICE_H_
