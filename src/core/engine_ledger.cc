// What the engine notes in the ledger, where that takes more than a line.
#include <nlohmann/json.hpp>

#include "core/engine.h"

namespace hearth::core {

void Engine::note_closed(const Connection& connection, std::uint16_t code, std::string_view by,
                         std::string_view reason) {
  if (ledger_ == nullptr || connection.agent == nullptr) return;
  std::string text(by);
  if (!reason.empty()) text.append(": ").append(reason);
  record(connection.agent->id, LedgerKind::kSocketClosed, text,
         {.code = code, .number = static_cast<std::int64_t>(connection.id.value)});
}

// Those that wait for the next host, counted for each agent.
void Engine::note_unbegun(const Host& host, const std::vector<EventTable::Unfinished>& unfinished) {
  if (ledger_ == nullptr) return;
  std::unordered_map<AgentId, std::int64_t> counts;
  for (const EventTable::Unfinished& each : unfinished) {
    if (!each.begun && each.event.agent != nullptr) ++counts[each.event.agent->id];
  }
  for (const auto& [id, count] : counts) {
    record(id, LedgerKind::kQueued, {}, {.host = host.number, .number = count});
  }
}

void Engine::note_replayed(const Host& host) {
  if (ledger_ == nullptr) return;
  std::unordered_map<AgentId, std::int64_t> counts;
  for (const Event& each : mailboxes_[host.slot].pending) {
    if (each.agent != nullptr) ++counts[each.agent->id];
  }
  for (const auto& [id, count] : counts) {
    record(id, LedgerKind::kReplayed, {}, {.host = host.number, .number = count});
  }
}

// An error-level line of a host's log, if it is of an agent.
void Engine::note_log(std::string_view text) {
  if (ledger_ == nullptr) return;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto field = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!json.is_object()) return;
  const std::string agent = field("agent");
  const std::string class_name = field("class");
  for (std::size_t i = 0; !agent.empty() && i < deployment_.namespaces.size(); ++i) {
    const NamespaceInfo& space = deployment_.namespaces[i];
    if (space.class_name != class_name) continue;
    wire::AgentIds ids(space.unique_key);
    const auto id = wire::parse_agent_id(agent);
    std::string told = field("code");
    told += (told.empty() ? "" : " ") + field("message");
    if (const std::string where = field("where"); !where.empty()) told += " (" + where + ")";
    return record(AgentId{static_cast<std::uint16_t>(i), id ? *id : ids.from_name(agent)},
                  LedgerKind::kError, told);
  }
}

void Engine::note_fault(std::string_view url, const Fault& fault) {
  if (ledger_ == nullptr) return;
  if (const std::optional<AgentId> agent = agent_at(url)) {
    record(*agent, LedgerKind::kError, fault.code + " " + fault.message);
  }
}

void Engine::alarm_failed(const AgentId& agent, bool give_up) {
  if (const AlarmEntry* entry = alarms_.find(agent); entry != nullptr && entry->firing) {
    record(agent, LedgerKind::kAlarmFailed, {}, {.number = entry->retries});
  }
  alarms_.failed(agent, give_up);
}

}  // namespace hearth::core
