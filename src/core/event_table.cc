#include "core/event_table.h"

#include <algorithm>
#include <utility>

namespace hearth::core {

namespace {
// A frame's buffer is kept for the next event up to here.
constexpr std::size_t kKeptBufferBytes = 4096;
}  // namespace

std::optional<std::uint32_t> EventTable::claim() {
  std::uint32_t place;
  if (!free_.empty()) {
    place = free_.back();
    free_.pop_back();
  } else {
    if (entries_.size() == kProgressSlots) return std::nullopt;
    place = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  }
  entries_[place].sequence = ++last_sequence_;
  page_.state[place].store(static_cast<std::uint8_t>(wire::Progress::kSent),
                           std::memory_order_release);
  ++in_flight_;
  return place;
}

// Eight states are looked at in one load: a sweep of a thousand idle places costs 128 of them.
bool EventTable::any_done(std::uint32_t first) const {
  static_assert(offsetof(wire::ProgressPage, state) % 8 == 0);
  const auto* states = reinterpret_cast<const std::uint64_t*>(&page_.state[first]);
  constexpr std::uint64_t kOnes = 0x0101010101010101ull;
  const std::uint64_t word = __atomic_load_n(states, __ATOMIC_ACQUIRE);
  // A state is two bits wide: done is the only one with both set.
  return (word & (word >> 1) & kOnes) != 0;
}

void EventTable::release(std::uint32_t place) {
  Event& event = entries_[place].event;
  retained_bytes_ -= event.frame.size();
  event.kind = EventKind::kNone;
  event.agent = nullptr;
  if (event.frame.capacity() > kKeptBufferBytes) {
    std::string().swap(event.frame);
  } else {
    event.frame.clear();
  }
  page_.state[place].store(static_cast<std::uint8_t>(wire::Progress::kFree),
                           std::memory_order_release);
  free_.push_back(place);
  --in_flight_;
}

const Event* EventTable::running() const {
  const std::uint32_t running = page_.running.load(std::memory_order_acquire);
  if (running == 0 || running > entries_.size()) return nullptr;
  // A place that was swept is another event's, which has not begun.
  if (!begun(running - 1)) return nullptr;
  const Event& event = entries_[running - 1].event;
  return event.kind == EventKind::kNone ? nullptr : &event;
}

EventTable::Mark EventTable::mark() const {
  const std::uint32_t mark = page_.marks.agent.load(std::memory_order_acquire);
  if (mark == wire::ProgressPage::kWorkersOwn) return {true, std::nullopt};
  if (mark == 0 || mark > wire::ProgressPage::kMarks) return {};
  const wire::MarkedAgent& marked = page_.agents[mark - 1];
  AgentId agent{marked.name_space, {}};
  std::copy(std::begin(marked.id), std::end(marked.id), agent.bytes.begin());
  return {true, agent};
}

const Event* EventTable::at_work() const {
  const Event* now = running();
  return now != nullptr ? now : last_begun();
}

const Event* EventTable::last_begun() const {
  const Entry* last = nullptr;
  for (std::uint32_t place = 0; place < entries_.size(); ++place) {
    if (state(place) != wire::Progress::kBegun) continue;
    if (last == nullptr || entries_[place].sequence > last->sequence) last = &entries_[place];
  }
  return last == nullptr ? nullptr : &last->event;
}

std::size_t EventTable::in_flight_until(std::uint64_t number) const {
  std::size_t found = 0;
  for (std::uint32_t place = 0; place < entries_.size(); ++place) {
    const wire::Progress now = state(place);
    const bool open = now == wire::Progress::kSent || now == wire::Progress::kBegun;
    if (open && entries_[place].sequence <= number) ++found;
  }
  return found;
}

std::vector<EventTable::Unfinished> EventTable::take_rest() {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> order;
  for (std::uint32_t place = 0; place < entries_.size(); ++place) {
    if (state(place) != wire::Progress::kFree) order.emplace_back(entries_[place].sequence, place);
  }
  std::sort(order.begin(), order.end());
  std::vector<Unfinished> rest;
  rest.reserve(order.size());
  for (const auto& [sequence, place] : order) {
    rest.push_back({std::move(entries_[place].event), begun(place)});
  }
  entries_.clear();
  free_.clear();
  in_flight_ = 0;
  retained_bytes_ = 0;
  return rest;
}

}  // namespace hearth::core
