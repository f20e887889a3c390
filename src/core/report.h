// Where the core says what happens: the server prints it, tests read it. `where` names the agent,
// connection or host concerned and may be empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::core {

enum class Level : std::uint8_t { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };

class Report {
 public:
  virtual ~Report() = default;
  // The core's own words.
  virtual void say(Level level, std::string_view message) = 0;
  // A Log frame of a host, as its JSON (messages.def).
  virtual void host_log(Level level, std::string_view json) = 0;
};

}  // namespace hearth::core
