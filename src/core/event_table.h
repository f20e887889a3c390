// The events that one host has been sent and not finished: the core's side of the progress page. A
// place is claimed to send an event and freed when the page says that its handler ended; at the
// host's death the page tells which events had begun. Bounded by the page. Entries keep their
// buffers, so a steady stream of events allocates nothing. Loop thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/event.h"
#include "wire/progress_page.h"

namespace hearth::core {

class EventTable {
 public:
  explicit EventTable(wire::ProgressPage& page) : page_(page) {}

  // A free place, marked as sent; nullopt when all are taken. `entry(place)` is then filled.
  std::optional<std::uint32_t> claim();
  Event& entry(std::uint32_t place) { return entries_[place].event; }
  // Once the entry's frame is there: it counts from now on.
  void filled(std::uint32_t place) { retained_bytes_ += entries_[place].event.frame.size(); }

  // Frees the places whose handlers have ended: `on_done(Event&)` for each, in no order.
  template <typename OnDone>
  void sweep(OnDone&& on_done) {
    if (in_flight_ == 0) return;
    for (std::uint32_t first = 0; first < entries_.size(); first += 8) {
      if (!any_done(first)) continue;
      for (std::uint32_t place = first; place < first + 8 && place < entries_.size(); ++place) {
        if (state(place) != wire::Progress::kDone) continue;
        on_done(entries_[place].event);
        release(place);
      }
    }
  }

  struct Unfinished {
    Event event;
    bool begun = false;
  };
  // What is left after the host's death, in the order in which it was sent; the table is then
  // empty. Events whose handlers had ended go to `on_done`.
  template <typename OnDone>
  std::vector<Unfinished> take_unfinished(OnDone&& on_done) {
    sweep(on_done);
    return take_rest();
  }

  // The event whose code is on the host's stack now, or was when it died; null when none is known.
  const Event* running() const;
  // The same, or else of those whose handlers have begun and not ended the one that was sent last.
  const Event* at_work() const;

  // Whose code runs, or ran when the host died, by the host's own mark. Known and of no agent: the
  // worker's.
  struct Mark {
    bool known = false;
    std::optional<AgentId> agent;
  };
  Mark mark() const;

  std::size_t in_flight() const { return in_flight_; }
  // Events are numbered as they are sent; how many of those up to `number` are still in flight.
  std::uint64_t last_number() const { return last_sequence_; }
  std::size_t in_flight_until(std::uint64_t number) const;
  // Bytes of the frames kept.
  std::size_t retained_bytes() const { return retained_bytes_; }
  bool full() const { return in_flight_ == kProgressSlots; }
  bool begun(std::uint32_t place) const { return state(place) >= wire::Progress::kBegun; }

 private:
  struct Entry {
    Event event;
    std::uint64_t sequence = 0;
  };

  wire::Progress state(std::uint32_t place) const {
    return static_cast<wire::Progress>(page_.state[place].load(std::memory_order_acquire));
  }
  const Event* last_begun() const;
  bool any_done(std::uint32_t first) const;
  void release(std::uint32_t place);
  std::vector<Unfinished> take_rest();

  wire::ProgressPage& page_;
  std::vector<Entry> entries_;       // as many as were ever in flight at once
  std::vector<std::uint32_t> free_;  // the last freed is claimed first: its lines are warm
  std::uint64_t last_sequence_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t retained_bytes_ = 0;
};

}  // namespace hearth::core
