// Agents that are awake on a host which leaves its slot: the slot has its next host already, and
// each of them stays where it is, with all that comes for it, until it is quiet and lets itself be
// closed. What comes for one that is being asked is kept, in order, and goes wherever it is from
// then on. Plain values, on the loop thread; the Engine's (engine_moves.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/ids.h"
#include "core/event.h"

namespace hearth::core {

class Host;

// Of an agent that is awake on a host which leaves.
struct AgentMove {
  bool asked = false;  // AgentMove was sent, and has not been answered
  unsigned refusals = 0;
  std::int64_t ask_again_ms = 0;  // steady
  std::deque<Event> held;         // not given to that host
};

// Of a host that leaves.
struct Departure {
  Host* host = nullptr;
  std::vector<AgentId> agents;  // that were awake there when it began to leave
  std::size_t left = 0;         // of them, that still are
  std::deque<Event> held;       // of sockets that its worker accepted
  std::int64_t empty_since_ms = -1;
};

}  // namespace hearth::core
