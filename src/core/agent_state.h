// An agent as the engine sees it at one moment, for the admin interface.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.h"

namespace hearth::core {

struct AgentState {
  AgentId id;
  std::string unique_key;
  std::string class_name;
  std::string name;    // empty: not known
  bool awake = false;  // on the host below
  unsigned slot = 0;   // where it belongs
  std::uint32_t host = 0;
  std::uint64_t version = 0;  // of the code there
  std::uint32_t sockets = 0;
  std::uint32_t events = 0;  // waiting, or being handled
  bool working = false;      // beyond its events
  bool quarantined = false;
  std::optional<std::int64_t> alarm_ms;
};

}  // namespace hearth::core
