// Holds each host to a share of the CPU, with no privilege and no control group: what a host has
// used is read from its process's clock, and one that has used up its share of a period is stopped
// (SIGSTOP) until a period has some for it again, as the kernel's own quota does it. Only hosts
// that take events are held: a start costs CPU, and one that drains is to end soon. The processes
// that a host starts are neither counted nor stopped.
//
// Without a limit there is no timer. Looks are as far apart as a host that used one core would take
// to use up the rest, so a look comes late by a few milliseconds; what was used too much is owed to
// the next periods, for a second at most. Loop thread; owned by the Engine.
#pragma once

#include <cstdint>
#include <functional>

#include "core/host.h"
#include "core/supervisor.h"
#include "os/world.h"

namespace hearth::core {

class CpuLimit {
 public:
  // Of a host that is held: for how long since it was told last. Called at most once a minute.
  using Held = std::function<void(Host& host, std::int64_t held_ms, std::int64_t within_ms)>;

  // `percent` of one core; 0: no limit.
  CpuLimit(unsigned percent, const os::World& world, const Supervisor& supervisor, Held on_held);
  ~CpuLimit();
  CpuLimit(const CpuLimit&) = delete;
  CpuLimit& operator=(const CpuLimit&) = delete;

  void start();
  // Whoever is held goes on.
  void stop();
  unsigned percent() const { return percent_; }

 private:
  void look();
  std::uint32_t look_at(Host& host);
  void tell(Host& host);

  const unsigned percent_;
  const os::World& world_;
  const Supervisor& supervisor_;
  const Held on_held_;
  os::TimerId timer_;
};

}  // namespace hearth::core
