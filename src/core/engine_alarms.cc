// Time: alarms to their agents, the probes that find alarms the index may lack, and cron triggers.
#include <algorithm>
#include <system_error>
#include <utility>

#include "core/engine.h"
#include "os/files.h"

namespace hearth::core {

namespace {
constexpr std::size_t kProbingMax = 64;
constexpr std::uint32_t kPostponeMs = 1'000;
// A file that changed this long before the registry did may hold what the registry missed.
constexpr std::int64_t kUncleanSlackMs = 10'000;
}  // namespace

void Engine::load_alarms() {
  for (StoredAlarm& stored : registry_.alarms()) {
    const auto id = wire::parse_agent_id(stored.id);
    const auto found = std::find_if(
        deployment_.namespaces.begin(), deployment_.namespaces.end(),
        [&](const NamespaceInfo& each) { return each.unique_key == stored.unique_key; });
    // Alarms of a class that is not served stay where they are, for when it is again.
    if (!id || found == deployment_.namespaces.end()) continue;
    AgentId agent{static_cast<std::uint16_t>(found - deployment_.namespaces.begin()), *id};
    alarms_.load(agent, std::move(stored.name), stored.at_ms, stored.retries);
  }
}

// After an end that was no orderly shutdown, or with the registry lost: agents that may have set an
// alarm which the index lacks.
void Engine::find_unclean_agents() {
  if (registry_.was_closed_cleanly() && registry_.last_written_ms() >= 0) return;
  std::unordered_set<AgentId> found;
  const std::vector<StoredAgent> open = registry_.open_agents();
  for (std::uint16_t number = 0; number < deployment_.namespaces.size(); ++number) {
    const std::string& key = deployment_.namespaces[number].unique_key;
    for (const StoredAgent& agent : open) {
      const auto id = wire::parse_agent_id(agent.id);
      if (id && agent.unique_key == key) found.insert(AgentId{number, *id});
    }
    std::error_code error;
    for (const auto& file :
         std::filesystem::directory_iterator(options_.state / "do" / key, error)) {
      const std::filesystem::path& path = file.path();
      const auto id = wire::parse_agent_id(path.stem().string());
      if (!id) continue;
      const bool wal = path.extension() == ".sqlite-wal" || path.extension() == ".sqlite-restore";
      const bool changed = path.extension() == ".sqlite" &&
                           os::modified_ms(path) >= registry_.last_written_ms() - kUncleanSlackMs;
      if (wal || changed) found.insert(AgentId{number, *id});
    }
  }
  for (const AgentId& agent : found) probe(agent);
  if (!found.empty()) {
    report_.say(Level::kInfo, "the last shutdown was not orderly: asking " +
                                  std::to_string(found.size()) + " agents for their alarms");
  }
}

void Engine::probe(const AgentId& agent) {
  probes_.push_back(agent);
  if (serving_) pump_probes();
}

void Engine::pump_probes() {
  std::size_t left = probes_.size();
  while (left-- > 0 && probing_.size() < kProbingMax) {
    const AgentId agent = probes_.front();
    probes_.pop_front();
    Host* host = host_of(agent);
    if (host == nullptr) {
      probes_.push_back(agent);  // its slot will have one: on_promoted comes here again
      continue;
    }
    if (probing_.insert(agent).second) host->send(wire::ProbeAlarm{agent});
  }
}

void Engine::on(Host& host, const wire::AlarmSet& message) {
  if (!known(host, message.agent)) return;
  std::string_view name = message.name;
  Agent* agent = agents_.find(message.agent);
  if (name.empty() && agent != nullptr) name = agent->name;
  const AlarmEntry* before = alarms_.find(message.agent);
  if (message.at_ms >= 0 && (before == nullptr || before->at_ms != message.at_ms)) {
    record(message.agent, LedgerKind::kAlarmSet, {}, {.number = message.at_ms});
  }
  alarms_.set(message.agent, name, message.at_ms);
  if (probing_.erase(message.agent) == 0) return;
  if (agent == nullptr || agent->host == nullptr) {
    registry_.agent_closed(unique_key(message.agent), message.agent.hex());
  }
  pump_probes();
}

void Engine::on(Host& host, const wire::AlarmDone& message) {
  if (!known(host, message.agent)) return;
  if (message.outcome == 0) {
    alarms_.done(message.agent, message.scheduled_ms);
  } else {
    alarm_failed(message.agent, message.outcome == 2);
  }
}

void Engine::fire_alarm(const AgentId& id, const AlarmEntry& alarm) {
  if (postpone_quarantined(id)) return;
  Agent& agent = agents_.get(id);
  if (agent.name.empty()) agent.name = alarm.name;
  const unsigned slot = slot_of(agent);
  if (crowded(slot) || unavailable_fault(slot)) {
    agents_.drop_if_idle(agent);
    return alarms_.postpone(id, kPostponeMs);
  }
  wire::Alarm message;
  message.agent = id;
  message.name = agent.name;
  message.scheduled_ms = alarm.firing_at_ms;
  message.retries = alarm.retries;
  record(id, LedgerKind::kAlarmFired, {}, {.number = alarm.firing_at_ms});
  deliver(slot, EventKind::kAlarm, &agent, 0, message);
}

void Engine::alarm_changed(const AgentId& agent, const AlarmEntry* alarm) {
  if (alarm == nullptr) return registry_.clear_alarm(unique_key(agent), agent.hex());
  registry_.set_alarm({unique_key(agent), agent.hex(), alarm->name, alarm->at_ms, alarm->retries});
}

void Engine::alarm_given_up(const AgentId& id, const AlarmEntry& alarm) {
  record(id, LedgerKind::kAlarmGivenUp);
  const std::string agent = label(id, alarm.name);
  const std::string message = "the alarm of " + agent + " failed for the last time (" +
                              std::to_string(alarm.retries) + " retries) and is not fired again";
  report_.tell({.level = Level::kError, .message = message, .agent = agent});
}

// Alarms whose handler had begun on a host that ended: they fire again, as after a failure. Those
// in `kept` had not begun, and wait for the next host; those of agents that are awake on the slot's
// other host are at work there.
void Engine::fail_alarms_of(const Host& host, const std::unordered_set<AgentId>& kept) {
  std::vector<AgentId> lost;
  alarms_.for_each_firing([&](const AgentId& agent) {
    const Agent* known = agents_.find(agent);
    if (wire::owning_slot(agent.bytes, supervisor_.slot_count()) == host.slot &&
        !kept.contains(agent) && (known == nullptr || known->host == nullptr)) {
      lost.push_back(agent);
    }
  });
  // An alarm that waits in the queue was never sent to that host.
  for (const Event& event : mailboxes_[host.slot].pending) {
    if (event.kind == EventKind::kAlarm) std::erase(lost, event.agent->id);
  }
  for (const AgentId& agent : lost) alarm_failed(agent, false);
}

// ---- crons

void Engine::start_crons() {
  crons_.clear();
  for (const CronTrigger& trigger : deployment_.crons) {
    auto cron = Cron::parse(trigger.expression);
    if (cron) {
      crons_.emplace_back(std::move(cron).value(), trigger);
    } else {
      report_.say(Level::kWarn, "a cron trigger is left out: " + cron.error().message);
    }
  }
  crons_fired_ms_ = world_.clock.wall_ms();
  if (serving_) arm_crons();
}

void Engine::arm_crons() {
  world_.loop.cancel(cron_timer_);
  if (crons_.empty() || stopping_) return;
  std::optional<std::int64_t> next;
  for (const auto& [cron, trigger] : crons_) {
    const std::optional<std::int64_t> at = cron.next(crons_fired_ms_);
    if (at && (!next || *at < *next)) next = at;
  }
  if (!next) return;
  // Looked at once a minute at least: the wall clock may be set meanwhile.
  const std::int64_t wait_ms = std::clamp<std::int64_t>(*next - world_.clock.wall_ms(), 0, 60'000);
  cron_timer_ = world_.loop.after(static_cast<std::uint32_t>(wait_ms), [this] { fire_crons(); });
}

void Engine::fire_crons() {
  const std::int64_t now_ms = world_.clock.wall_ms();
  for (const auto& [cron, trigger] : crons_) {
    const std::optional<std::int64_t> at = cron.next(crons_fired_ms_);
    if (!at || *at > now_ms) continue;
    const unsigned slot = least_loaded();
    if (unavailable_fault(slot) || crowded(slot)) {
      report_.say(Level::kWarn,
                  "the cron trigger \"" + trigger.expression + "\" finds no host and is left out");
      continue;
    }
    wire::Scheduled message;
    message.worker = trigger.worker;
    message.cron = trigger.expression;
    message.scheduled_ms = *at;
    deliver(slot, EventKind::kScheduled, nullptr, 0, message);
  }
  crons_fired_ms_ = std::max(crons_fired_ms_, now_ms);
  arm_crons();
}

}  // namespace hearth::core
