// When each agent is to be woken. Holds the next alarm of every agent (the registry keeps a copy),
// fires those that are due, a bounded number at once, and fires a failed one again: two seconds
// later, then twice as long each time, six times at most. An alarm is here from the moment its host
// says that it is set until its handler has ended well, so a committed alarm fires at least once.
// Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "base/limits.h"
#include "os/world.h"

namespace hearth::core {

struct AlarmEntry {
  std::string name;          // the agent's
  std::int64_t at_ms = -1;   // as the agent set it; -1: none but the one that is running
  std::int64_t due_ms = -1;  // when it fires next: at_ms, or later after a failure
  std::uint32_t retries = 0;
  bool firing = false;
  std::int64_t firing_at_ms = -1;  // the time of the one that is running
};

class AlarmStore {
 public:
  virtual ~AlarmStore() = default;
  // Hands the alarm to its agent; `done` and `failed` answer.
  virtual void fire_alarm(const AgentId& agent, const AlarmEntry& alarm) = 0;
  // The registry's copy of this agent's entry is to follow: null when there is none.
  virtual void alarm_changed(const AgentId& agent, const AlarmEntry* alarm) = 0;
  // It failed for the last time.
  virtual void alarm_given_up(const AgentId& agent, const AlarmEntry& alarm) = 0;
};

class AlarmIndex {
 public:
  AlarmIndex(os::Clock& clock, os::Loop& loop, AlarmStore& store);
  ~AlarmIndex();

  // From the registry, at start: no change is reported.
  void load(const AgentId& agent, std::string name, std::int64_t at_ms, std::uint32_t retries);
  // Nothing fires before this.
  void start();
  void stop();
  void clear();
  // All of a namespace's.
  void forget(std::uint16_t name_space);

  // As committed by the agent; -1: none.
  void set(const AgentId& agent, std::string_view name, std::int64_t at_ms);
  // The handler of the alarm that was set for `scheduled_ms` has ended well.
  void done(const AgentId& agent, std::int64_t scheduled_ms);
  // It failed, or its host died: it fires again later. `give_up`: it does not.
  void failed(const AgentId& agent, bool give_up);
  // It could not be handed over, and has not begun: it fires again in `delay_ms`.
  void postpone(const AgentId& agent, std::uint32_t delay_ms);

  std::size_t size() const { return entries_.size(); }
  std::size_t overdue() const;
  const AlarmEntry* find(const AgentId& agent) const;
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [agent, entry] : entries_) visit(agent, entry);
  }
  template <typename Visit>
  void for_each_firing(Visit&& visit) const {
    for (const auto& [agent, entry] : entries_) {
      if (entry.firing) visit(agent);
    }
  }

 private:
  void schedule(const AgentId& agent, AlarmEntry& entry, std::int64_t due_ms);
  void unschedule(const AgentId& agent, AlarmEntry& entry);
  void finish(const AgentId& agent, AlarmEntry& entry);
  void arm();
  void fire_due();

  os::Clock& clock_;
  os::Loop& loop_;
  AlarmStore& store_;
  std::unordered_map<AgentId, AlarmEntry> entries_;
  std::set<std::pair<std::int64_t, AgentId>> order_;
  std::size_t firing_ = 0;
  os::TimerId timer_;
  std::int64_t timer_due_ms_ = -1;
  bool started_ = false;
};

}  // namespace hearth::core
