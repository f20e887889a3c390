// What the admin interface sees of the engine, and asks of it.
#include "core/engine.h"

namespace hearth::core {

namespace {
std::uint32_t count_sockets(const Agent& agent) {
  std::uint32_t count = 0;
  for (const Connection* each = agent.first; each != nullptr; each = each->next) {
    count += each->socket ? 1 : 0;
  }
  return count;
}
}  // namespace

std::vector<AgentState> Engine::agent_states() const {
  std::unordered_map<AgentId, AgentState> states;
  const auto state_of = [&](const AgentId& id, const std::string& name) -> AgentState& {
    AgentState& state = states[id];
    const NamespaceInfo& space = deployment_.namespaces[id.name_space];
    state.id = id;
    state.unique_key = space.unique_key;
    state.class_name = space.class_name;
    state.slot = wire::owning_slot(id.bytes, supervisor_.slot_count());
    if (state.name.empty()) state.name = name;
    return state;
  };
  agents_.for_each([&](const Agent& agent) {
    AgentState& state = state_of(agent.id, agent.name);
    state.awake = agent.host != nullptr;
    state.host = agent.host != nullptr ? agent.host->number : 0;
    state.version = agent.host != nullptr ? agent.host->document->version : 0;
    state.sockets = count_sockets(agent);
    state.events = agent.events_held;
    state.working = agent.working;
  });
  alarms_.for_each([&](const AgentId& id, const AlarmEntry& alarm) {
    const std::int64_t at_ms = alarm.due_ms >= 0 ? alarm.due_ms : alarm.at_ms;
    if (at_ms >= 0) state_of(id, alarm.name).alarm_ms = at_ms;
  });
  quarantine_.for_each(
      [&](const AgentId& id, const std::string& name) { state_of(id, name).quarantined = true; });
  std::vector<AgentState> all;
  all.reserve(states.size());
  for (auto& [id, state] : states) all.push_back(std::move(state));
  return all;
}

std::optional<AgentId> Engine::agent_id(std::string_view unique_key, std::string_view id) const {
  const auto bytes = wire::parse_agent_id(id);
  for (std::size_t i = 0; bytes && i < deployment_.namespaces.size(); ++i) {
    if (deployment_.namespaces[i].unique_key != unique_key) continue;
    return AgentId{static_cast<std::uint16_t>(i), *bytes};
  }
  return std::nullopt;
}

std::optional<AgentId> Engine::agent_at(std::string_view url) const {
  const std::optional<AgentPath> path = agent_path(url);
  const Route* route = path ? router_.route(path->segment) : nullptr;
  if (route == nullptr || route->name_space >= deployment_.namespaces.size()) return std::nullopt;
  wire::AgentIds ids(deployment_.namespaces[route->name_space].unique_key);
  return AgentId{route->name_space, ids.from_name(path->name)};
}

void Engine::copy_database(const AgentId& agent, std::string from, std::string to,
                           Copies::Done done) {
  copies_.start(agent, std::move(from), std::move(to), std::move(done));
}

void Engine::on(Host&, const wire::DatabaseCopied& message) {
  copies_.on_copied(message);
}

void Engine::adopt_agent(const AgentId& agent, std::string_view name, std::int64_t alarm_ms) {
  registry_.agent_opened(unique_key(agent), agent.hex(), name);
  registry_.agent_closed(unique_key(agent), agent.hex());
  alarms_.set(agent, name, alarm_ms);
}

bool Engine::release_agent(const AgentId& agent) {
  if (!quarantine_.release(agent)) return false;
  record(agent, LedgerKind::kReleased);
  report_.say(Level::kInfo, label(agent, registry_.name_of(unique_key(agent), agent.hex())) +
                                " was released from quarantine");
  return true;
}

std::string Engine::class_of(std::string_view unique_key) const {
  for (const NamespaceInfo& each : deployment_.namespaces) {
    if (each.unique_key == unique_key) return each.class_name;
  }
  return {};
}

}  // namespace hearth::core
