#include "core/quarantine.h"

#include <algorithm>

namespace hearth::core {

namespace {
// Hosts do not die faster than they are started: this is far more than a window can hold.
constexpr std::size_t kDeathsKeptMax = 4096;
}  // namespace

bool Quarantine::blame(const AgentId& agent, std::string_view name, std::int64_t now_ms) {
  if (deaths_max_ == 0 || holds(agent)) return false;
  while (!deaths_.empty() &&
         (now_ms - deaths_.front().at_ms > window_ms_ || deaths_.size() >= kDeathsKeptMax)) {
    deaths_.pop_front();
  }
  deaths_.push_back({agent, now_ms});
  const auto count = std::count_if(deaths_.begin(), deaths_.end(),
                                   [&](const Death& death) { return death.agent == agent; });
  if (count < static_cast<std::ptrdiff_t>(deaths_max_)) return false;
  held_.emplace(agent, name);
  std::erase_if(deaths_, [&](const Death& death) { return death.agent == agent; });
  return true;
}

bool Quarantine::holds(std::uint16_t name_space, std::string_view name) const {
  return std::any_of(held_.begin(), held_.end(), [&](const auto& each) {
    return each.first.name_space == name_space && each.second == name;
  });
}

}  // namespace hearth::core
