// How hosts and agents are asked to go between their events. What comes for whoever is asked waits
// for the answer: not long, and after each refusal a little longer, for those in which something is
// always at work for a moment.
#pragma once

#include <algorithm>
#include <cstdint>

namespace hearth::core {

inline constexpr std::uint32_t kLookAgainMs = 25;  // whether one may be asked, or go
inline constexpr std::int64_t kAskAgainMs = 250;   // after a refusal

// For how long it is waited for quiet, after so many refusals.
inline std::uint32_t quiet_ms(unsigned refusals) {
  constexpr std::uint32_t kFirstMs = 100;
  constexpr std::uint32_t kMoreMs = 50;
  constexpr std::uint32_t kMsMax = 500;
  return std::min(kFirstMs + refusals * kMoreMs, kMsMax);
}

}  // namespace hearth::core
