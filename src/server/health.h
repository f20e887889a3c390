// How a running hearth is, in the forms that the admin interface answers: JSON for people and load
// balancers, Prometheus' text for what collects figures (docs/admin.md). Reads /proc for memory;
// otherwise pure.
#pragma once

#include <cstdint>
#include <string>

#include "core/health.h"

namespace hearth::server {

struct BuildHealth {
  std::string state;         // "none", "serving", "broken"
  std::int64_t wall_ms = 0;  // of the last deploy; 0: none
  std::string bundle;        // that is served
  std::string error;         // of the last build, when it is broken
  std::uint64_t deploys = 0;
};

struct ServerHealth {
  core::Health engine;
  BuildHealth build;
  std::string worker;
  std::string mode;
  std::int64_t uptime_ms = 0;
  std::size_t log_followers = 0;
};

std::string health_json(const ServerHealth& health);
std::string health_metrics(const ServerHealth& health);

// What a process holds of the machine's memory; 0: it is gone.
std::uint64_t resident_bytes(int pid);

}  // namespace hearth::server
