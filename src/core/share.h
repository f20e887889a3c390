// How much of a host's room one agent may fill, so that a slow one cannot hold back its neighbours:
// a quarter of what is free, between a least and a most. What is free shrinks with each slow agent,
// and so does the next one's share: dozens of them leave some room. Pure.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/limits.h"

namespace hearth::core {

// What is on its way to code and not finished there.
struct Burden {
  std::size_t events = 0;
  std::size_t bytes = 0;
};

inline constexpr std::size_t kAgentEventsLeast = 8;
inline constexpr std::size_t kAgentBytesLeast = 16 * 1024;

// `free`: of the host, beside all that it has.
constexpr Burden share_of(const Burden& free) {
  return {std::clamp<std::size_t>(free.events / 4, kAgentEventsLeast, kAgentEventsMax),
          std::clamp(free.bytes / 4, kAgentBytesLeast, kAgentQueueBytesMax)};
}

constexpr bool exceeds(const Burden& burden, const Burden& limit) {
  return burden.events >= limit.events || burden.bytes > limit.bytes;
}

}  // namespace hearth::core
