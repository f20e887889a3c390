// Says what the limit of descriptors means for clients: at the start when it is low, when accepting
// has run out of them, at most once a minute, and when what was said has passed. Each client takes
// one descriptor of the core. Loop thread.
#pragma once

#include <cstdint>
#include <functional>

#include "core/report.h"
#include "os/world.h"

namespace hearth::server {

class DescriptorWatch {
 public:
  DescriptorWatch(const os::Clock& clock, core::Report& report) : clock_(clock), report_(report) {}

  // Raises the limit as far as it goes and warns when that is not far.
  void at_start();
  // Accepting clients failed with this errno, or (0) goes on; `open` are connected.
  void on_accepting(int error, std::uint64_t open);

  // The descriptors below this number are for clients; the rest is what the core keeps for its own
  // files and hosts. 0: no bound.
  std::uint32_t for_clients() const;

 private:
  const os::Clock& clock_;
  core::Report& report_;
  std::uint64_t limit_ = 0;
  std::int64_t said_ms_ = 0;  // steady; 0: never
  bool told_ = false;         // and the end of it has not been
};

}  // namespace hearth::server
