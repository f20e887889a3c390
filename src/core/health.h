// How the engine is at one moment, for the admin interface. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::core {

struct HostHealth {
  std::uint32_t number = 0;
  std::string_view state{};  // "starting", "warm", "active", "leaving", "draining", "ended"
  unsigned slot = 0;         // while active, leaving or draining
  int pid = 0;
  std::int64_t active_ms = 0;  // for how long; 0: it is not
  std::uint64_t cpu_ms = 0;    // that it has used in its life
  std::int64_t held_ms = 0;    // for which it was held to its CPU limit
  std::size_t in_flight = 0;   // events that it was sent and has not finished
};

struct SlotHealth {
  bool served = false;
  std::size_t waiting = 0;  // events that no host has been given
};

struct Health {
  unsigned host_cpu_percent = 0;  // of one core that a host may use; 0: no limit
  bool ready = false;             // every slot has a host that takes events
  std::string reason;             // why not
  std::vector<HostHealth> hosts;
  std::vector<SlotHealth> slots;
  std::size_t agents_awake = 0;
  std::size_t connections = 0;
  std::size_t requests = 0;  // that have not been answered in full
};

}  // namespace hearth::core
