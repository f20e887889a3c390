// `hearth doctor --url`: looks at a running server as its clients reach it, through whatever stands
// before it. Opens a WebSocket to an agent named "hearth-doctor" on each route, as AgentClient
// does, and closes it again. Blocking, each step with a deadline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "project/finding.h"

namespace hearth::cli {

struct OutsideRequest {
  std::string url;
  std::vector<std::string> segments;  // of the routes that the configuration has
  std::string origin;                 // of a page that is meant to reach the agents; may be empty
  std::uint32_t idle_s = 0;           // how long one socket is held without a message
  std::uint32_t timeout_ms = 5'000;   // of each step
};

struct OutsideView {
  std::vector<project::Finding> findings;
  std::vector<std::string> notes;
  bool looked = true;  // false: the URL is none
};

OutsideView look_from_outside(const OutsideRequest& request);

}  // namespace hearth::cli
