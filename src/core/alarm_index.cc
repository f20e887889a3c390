#include "core/alarm_index.h"

#include <algorithm>

namespace hearth::core {

namespace {
// Alarms that may be running at once: after a long sleep of the machine there may be many.
constexpr std::size_t kFiringMax = 256;
// A timer is set no further ahead: the wall clock may jump meanwhile.
constexpr std::int64_t kTimerMsMax = 10'000;
}  // namespace

AlarmIndex::AlarmIndex(os::Clock& clock, os::Loop& loop, AlarmStore& store)
    : clock_(clock), loop_(loop), store_(store) {}

AlarmIndex::~AlarmIndex() {
  loop_.cancel(timer_);
}

void AlarmIndex::load(const AgentId& agent, std::string name, std::int64_t at_ms,
                      std::uint32_t retries) {
  AlarmEntry& entry = entries_[agent];
  unschedule(agent, entry);
  entry.name = std::move(name);
  entry.at_ms = at_ms;
  entry.retries = retries;
  schedule(agent, entry, at_ms);
}

void AlarmIndex::start() {
  started_ = true;
  arm();
}

void AlarmIndex::stop() {
  started_ = false;
  loop_.cancel(timer_);
  timer_due_ms_ = -1;
}

void AlarmIndex::clear() {
  entries_.clear();
  order_.clear();
  firing_ = 0;
}

const AlarmEntry* AlarmIndex::find(const AgentId& agent) const {
  const auto found = entries_.find(agent);
  return found == entries_.end() ? nullptr : &found->second;
}

std::size_t AlarmIndex::overdue() const {
  const std::int64_t now_ms = clock_.wall_ms();
  std::size_t count = 0;
  for (const auto& [due_ms, agent] : order_) {
    if (due_ms > now_ms) break;
    ++count;
  }
  return count;
}

void AlarmIndex::forget(std::uint16_t name_space) {
  std::vector<AgentId> found;
  for (const auto& [agent, entry] : entries_) {
    if (agent.name_space == name_space) found.push_back(agent);
  }
  for (const AgentId& agent : found) set(agent, {}, -1);
}

void AlarmIndex::set(const AgentId& agent, std::string_view name, std::int64_t at_ms) {
  if (at_ms < 0) {
    const auto found = entries_.find(agent);
    if (found == entries_.end()) return;
    AlarmEntry& entry = found->second;
    unschedule(agent, entry);
    entry.at_ms = -1;
    store_.alarm_changed(agent, nullptr);
    if (!entry.firing) entries_.erase(found);
    return;
  }
  AlarmEntry& entry = entries_[agent];
  if (!name.empty()) entry.name = name;
  // A probe's answer says what is known: a retry that waits keeps its place.
  if (entry.at_ms == at_ms && entry.due_ms >= 0) return;
  unschedule(agent, entry);
  entry.at_ms = at_ms;
  if (!entry.firing) entry.retries = 0;
  store_.alarm_changed(agent, &entry);
  schedule(agent, entry, at_ms);
  arm();
}

void AlarmIndex::done(const AgentId& agent, std::int64_t scheduled_ms) {
  const auto found = entries_.find(agent);
  if (found == entries_.end() || !found->second.firing) return;
  AlarmEntry& entry = found->second;
  // The one that ran is over, unless it was set anew meanwhile.
  if (entry.at_ms == scheduled_ms && entry.due_ms < 0) entry.at_ms = -1;
  entry.retries = 0;
  finish(agent, entry);
}

void AlarmIndex::failed(const AgentId& agent, bool give_up) {
  const auto found = entries_.find(agent);
  if (found == entries_.end() || !found->second.firing) return;
  AlarmEntry& entry = found->second;
  if (entry.due_ms >= 0) {  // set anew meanwhile: that one counts
    entry.retries = 0;
    return finish(agent, entry);
  }
  if (give_up || entry.retries >= kAlarmRetriesMax) {
    store_.alarm_given_up(agent, entry);
    entry.at_ms = -1;
    return finish(agent, entry);
  }
  entry.at_ms = entry.firing_at_ms;
  const std::int64_t wait_ms = std::int64_t{kAlarmBackoffMs} << entry.retries;
  ++entry.retries;
  schedule(agent, entry, clock_.wall_ms() + wait_ms);
  finish(agent, entry);
}

void AlarmIndex::postpone(const AgentId& agent, std::uint32_t delay_ms) {
  const auto found = entries_.find(agent);
  if (found == entries_.end() || !found->second.firing) return;
  AlarmEntry& entry = found->second;
  if (entry.due_ms < 0 && entry.at_ms >= 0) {
    schedule(agent, entry, clock_.wall_ms() + delay_ms);
  }
  finish(agent, entry);
}

void AlarmIndex::finish(const AgentId& agent, AlarmEntry& entry) {
  entry.firing = false;
  entry.firing_at_ms = -1;
  --firing_;
  if (entry.due_ms >= 0) order_.emplace(entry.due_ms, agent);
  const bool kept = entry.at_ms >= 0;
  store_.alarm_changed(agent, kept ? &entry : nullptr);
  if (!kept) entries_.erase(agent);
  arm();
}

void AlarmIndex::schedule(const AgentId& agent, AlarmEntry& entry, std::int64_t due_ms) {
  entry.due_ms = due_ms;
  // One whose handler still runs waits for it: finish() puts it in order.
  if (!entry.firing) order_.emplace(due_ms, agent);
}

void AlarmIndex::unschedule(const AgentId& agent, AlarmEntry& entry) {
  if (entry.due_ms < 0) return;
  order_.erase({entry.due_ms, agent});
  entry.due_ms = -1;
}

void AlarmIndex::arm() {
  if (!started_ || order_.empty() || firing_ >= kFiringMax) return;
  const std::int64_t now_ms = clock_.wall_ms();
  const std::int64_t due_ms = std::min(order_.begin()->first, now_ms + kTimerMsMax);
  if (timer_due_ms_ >= 0 && timer_due_ms_ <= due_ms) return;
  loop_.cancel(timer_);
  timer_due_ms_ = std::max(due_ms, now_ms);
  timer_ =
      loop_.after(static_cast<std::uint32_t>(std::max<std::int64_t>(due_ms - now_ms, 0)), [this] {
        timer_due_ms_ = -1;
        fire_due();
      });
}

void AlarmIndex::fire_due() {
  const std::int64_t now_ms = clock_.wall_ms();
  while (!order_.empty() && order_.begin()->first <= now_ms && firing_ < kFiringMax) {
    const AgentId agent = order_.begin()->second;
    AlarmEntry& entry = entries_.at(agent);
    unschedule(agent, entry);
    entry.firing = true;
    entry.firing_at_ms = entry.at_ms;
    ++firing_;
    store_.fire_alarm(agent, entry);
  }
  arm();
}

}  // namespace hearth::core
