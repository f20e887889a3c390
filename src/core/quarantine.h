// Which agents may not run for now: those whose code ran when hosts died, again and again
// within a short time. An agent stays in it until it is released, or until the core
// restarts. Bounded; pure but for the time that it is given. Loop thread; owned by the Engine.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"

namespace hearth::core {

class Quarantine {
 public:
  // `deaths_max` of an agent's hosts within `window_ms` put it in; 0: none ever is.
  explicit Quarantine(unsigned deaths_max, std::int64_t window_ms = 60'000)
      : deaths_max_(deaths_max), window_ms_(window_ms) {}

  // A host died, and this agent's code ran, or its handler was the last that had begun. True: it
  // may not run from now on.
  bool blame(const AgentId& agent, std::string_view name, std::int64_t now_ms);
  bool empty() const { return held_.empty(); }
  bool holds(const AgentId& agent) const { return held_.contains(agent); }
  // By namespace and name, as a URL gives them.
  bool holds(std::uint16_t name_space, std::string_view name) const;
  bool release(const AgentId& agent) { return held_.erase(agent) > 0; }
  // `visit(const AgentId&, const std::string& name)`
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [agent, name] : held_) visit(agent, name);
  }
  unsigned deaths_max() const { return deaths_max_; }

 private:
  struct Death {
    AgentId agent;
    std::int64_t at_ms;
  };

  const unsigned deaths_max_;
  const std::int64_t window_ms_;
  std::deque<Death> deaths_;  // of the window, oldest first
  std::unordered_map<AgentId, std::string> held_;
};

}  // namespace hearth::core
