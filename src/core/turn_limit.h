// limits.cpu_ms: the CPU time that one turn of a host's event loop may use. What a turn has used is
// the main thread's clock since the progress page's heartbeat was last raised, so it is known to
// within the time between two looks, and a turn is at least as short as an invocation: code that
// awaits begins anew. A host that is past the limit has a moment for its watching thread to take
// the JavaScript stack; if the turn ends meanwhile, so be it.
//
// Without a limit there is no timer. Loop thread; owned by the Engine.
#pragma once

#include <cstdint>
#include <functional>

#include "core/host.h"
#include "core/supervisor.h"
#include "os/world.h"

namespace hearth::core {

class TurnLimit {
 public:
  // Whether the stack of what blocks the host is there.
  using Explained = std::function<bool(const Host& host)>;
  using Over = std::function<void(Host& host, std::int64_t used_ms)>;

  TurnLimit(const os::World& world, const Supervisor& supervisor, Explained explained,
            Over on_over);
  ~TurnLimit();
  TurnLimit(const TurnLimit&) = delete;
  TurnLimit& operator=(const TurnLimit&) = delete;

  // 0: no limit. From the next look on.
  void set_limit(std::uint32_t limit_ms);
  std::uint32_t limit_ms() const { return limit_ms_; }
  void start();
  void stop();

 private:
  void arm();
  void look();
  void look_at(Host& host);

  const os::World& world_;
  const Supervisor& supervisor_;
  const Explained explained_;
  const Over on_over_;
  std::uint32_t limit_ms_ = 0;
  bool running_ = false;
  os::TimerId timer_;
};

}  // namespace hearth::core
