// Looks for hosts whose process was stopped by a signal (SIGSTOP), whatever they are about:
// starting, waiting as the spare, serving, draining. Such a one does nothing more and will not by
// itself, and the core, as its parent, is told so by the system: unlike a loop that does not turn,
// or a bundle that takes long to load, it needs no benefit of the doubt, and is ended when it has
// stayed so for a moment. Loop thread; owned by the Engine.
#pragma once

#include <cstdint>

#include "core/supervisor.h"

namespace hearth::core {

class StoppedHosts {
 public:
  // `stopped_ms_max` 0: they are left alone, for a debugger may have stopped them.
  StoppedHosts(const os::World& world, const Supervisor& supervisor, std::uint32_t stopped_ms_max)
      : world_(world), supervisor_(supervisor), stopped_ms_max_(stopped_ms_max) {}
  ~StoppedHosts() { stop(); }

  void start();
  void stop() { world_.loop.cancel(timer_); }

 private:
  void look();

  const os::World world_;
  const Supervisor& supervisor_;
  const std::uint32_t stopped_ms_max_;
  os::TimerId timer_;
};

}  // namespace hearth::core
