// The progress page: one shared mapping per host, one byte for each event in flight, so that the
// core knows after a host's death which events had begun. The core claims a slot when it sends an
// event (kSent); the host stores kBegun just before it calls the handler and kDone when the handler
// has ended; the core frees the slot when it sees kDone. Input gates reorder beginnings between
// agents, which is why each event has a byte of its own and no counter would do.
// Writers: the core writes kFree and kSent, the host kBegun, kDone and the rest; no lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/limits.h"

namespace hearth::wire {

// An agent that has a number on the page.
struct MarkedAgent {
  std::uint16_t name_space = 0;
  std::uint8_t id[32] = {};
};

enum class Progress : std::uint8_t { kFree = 0, kSent = 1, kBegun = 2, kDone = 3 };

struct ProgressPage {
  static constexpr std::uint32_t kMagic = 0x68727450;  // "Ptrh"
  std::uint32_t magic = kMagic;
  std::uint32_t slots = kProgressSlots;
  // Raised by the host at each turn of its loop and before each event: a watchdog reads it from
  // outside.
  std::atomic<std::uint64_t> heartbeat{0};
  std::atomic<std::uint8_t> state[kProgressSlots];
  // The place, plus one, of the event whose code is on the stack now, in its first turn; 0: none is
  // known. Many events that have begun may only wait: this is the one that a death is laid to,
  // where the marks below say nothing.
  std::atomic<std::uint32_t> running{0};

  // Whose code runs, after an await too, written by JavaScript itself
  // (host/runtime/src/agent/marks.ts): the place, plus one, of the agent among those below; 0: it
  // is not known; kWorkersOwn: none's.
  static constexpr std::uint32_t kMarks = 1024;
  static constexpr std::uint32_t kWorkersOwn = 0xffffffff;
  struct Marks {
    std::atomic<std::uint32_t> agent{0};
    // Raised where the runtime enters code within one turn of the loop, as timers do.
    std::atomic<std::uint32_t> entries{0};
  };
  Marks marks;
  // The agents that were entered last: each is written here before a mark names its place.
  MarkedAgent agents[kMarks];
};

static_assert(std::atomic<std::uint8_t>::is_always_lock_free);

}  // namespace hearth::wire
