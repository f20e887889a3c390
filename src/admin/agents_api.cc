#include "admin/agents_api.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "admin/agents_json.h"
#include "core/agent_name.h"

namespace hearth::admin {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kListedMax = 10'000;
constexpr std::size_t kEntriesMax = 1'000;
constexpr std::size_t kEntries = 100;
// For the ledger's writer to be through with what was noted until now.
constexpr std::uint32_t kLookMs = 5;
constexpr int kLooksMax = 400;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::size_t number_in(const Request& request, std::string_view name, std::size_t otherwise) {
  const std::string text = request.field(name);
  std::size_t number = otherwise;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc() && end == text.data() + text.size() ? number : otherwise;
}

Json to_json(const core::AgentState& agent) {
  Json json{{"class", agent.class_name},     {"name", agent.name},   {"id", agent.id.hex()},
            {"uniqueKey", agent.unique_key}, {"awake", agent.awake}, {"slot", agent.slot}};
  if (agent.awake) {
    json["host"] = agent.host;
    json["version"] = agent.version;
  }
  json["sockets"] = agent.sockets;
  json["events"] = agent.events;
  json["working"] = agent.working;
  json["quarantined"] = agent.quarantined;
  if (agent.alarm_ms) json["alarmMs"] = *agent.alarm_ms;
  return json;
}

Json asleep(const core::StoredAgent& agent, const std::string& class_name) {
  return {{"class", class_name}, {"name", agent.name},
          {"id", agent.id},      {"uniqueKey", agent.unique_key},
          {"awake", false},      {"sockets", 0},
          {"events", 0},         {"working", false},
          {"quarantined", false}};
}

// Those that sleep are known to the registry alone.
Json all_agents(core::Engine& engine, core::Registry& registry, const std::string& match) {
  std::map<std::pair<std::string, std::string>, Json> agents;  // by unique key, and name and id
  const auto add = [&](Json json) {
    const std::string name = json["name"];
    const std::string id = json["id"];
    if (name.find(match) == std::string::npos && id.find(match) == std::string::npos) return;
    const std::string key = json["uniqueKey"];
    agents.try_emplace({key, name + '\0' + id}, std::move(json));
  };
  std::unordered_set<std::string> seen;
  for (const core::AgentState& each : engine.agent_states()) {
    seen.insert(each.unique_key + each.id.hex());
    add(to_json(each));
  }
  for (const core::StoredAgent& each : registry.agents()) {
    if (seen.contains(each.unique_key + each.id)) continue;
    add(asleep(each, engine.class_of(each.unique_key)));
  }
  Json list = Json::array();
  for (auto& [key, json] : agents) list.push_back(std::move(json));
  return list;
}

void list(const AgentSources& from, const Request& request, const Responder& responder) {
  Json agents = all_agents(from.engine, from.registry, request.field("match"));
  const std::size_t limit = std::min(number_in(request, "limit", kListedMax), kListedMax);
  const std::size_t total = agents.size();
  if (total > limit) {
    agents.erase(agents.begin() + static_cast<std::ptrdiff_t>(limit), agents.end());
  }
  responder.ok(dump({{"agents", std::move(agents)}, {"total", total}}));
}

void tell_why(const AgentSources& from, const core::StoredAgent& agent, std::size_t limit,
              const Responder& responder) {
  Json state = asleep(agent, from.engine.class_of(agent.unique_key));
  for (const core::AgentState& each : from.engine.agent_states()) {
    if (each.unique_key == agent.unique_key && each.id.hex() == agent.id) state = to_json(each);
  }
  Json answer{{"agent", std::move(state)}};
  add_ledger(answer, from.state, agent.unique_key, agent.id, limit);
  if (from.ledger.lost() > 0) answer["lost"] = from.ledger.lost();
  responder.ok(dump(answer));
}

// The file is read when all that was noted until now is in it.
void why_when_written(AgentSources from, core::StoredAgent agent, std::size_t limit,
                      std::uint64_t wanted, int looks, Responder responder) {
  if (responder.gone()) return;
  if (from.writer.through() >= wanted || looks >= kLooksMax) {
    return tell_why(from, agent, limit, responder);
  }
  os::Loop& loop = from.loop;
  loop.after(kLookMs, [from = std::move(from), agent = std::move(agent), limit, wanted, looks,
                       responder = std::move(responder)] {
    why_when_written(from, agent, limit, wanted, looks + 1, responder);
  });
}

void why(const AgentSources& from, const Request& request, const Responder& responder) {
  const auto agent = find_agent(from.engine, from.registry, request.field("agent"));
  if (!agent) return responder.fail(agent.error());
  const std::size_t limit = std::min(number_in(request, "limit", kEntries), kEntriesMax);
  from.ledger.flush();
  why_when_written(from, *agent, limit, from.writer.taken(), 0, responder);
}

void release(const AgentSources& from, const Request& request, const Responder& responder) {
  const auto agent = find_agent(from.engine, from.registry, request.field("agent"));
  if (!agent) return responder.fail(agent.error());
  const auto id = from.engine.agent_id(agent->unique_key, agent->id);
  if (!id || !from.engine.release_agent(*id)) {
    return responder.fail(409, "", agent->unique_key + "/" + agent->name + " is not quarantined");
  }
  responder.ok(dump({{"released", asleep(*agent, from.engine.class_of(agent->unique_key))}}));
}

}  // namespace

Result<core::StoredAgent> find_agent(core::Engine& engine, core::Registry& registry,
                                     std::string_view text) {
  if (text.empty()) return Error{ErrorCode::kInvalid, "no agent is named: ?agent=NAME"};
  std::map<std::string, core::StoredAgent> found;
  const auto look_at = [&](core::StoredAgent agent) {
    if (!core::is_called(agent.unique_key, agent.id, agent.name, text)) return;
    found.try_emplace(agent.unique_key + "/" + agent.id, std::move(agent));
  };
  for (const core::AgentState& each : engine.agent_states()) {
    look_at({each.unique_key, each.id.hex(), each.name});
  }
  for (core::StoredAgent& each : registry.agents()) look_at(std::move(each));
  if (found.size() == 1) return std::move(found.begin()->second);
  if (found.empty()) {
    return Error{ErrorCode::kNotFound, "no agent is called " + std::string(text) +
                                           "; `hearth agents list` shows all of them"};
  }
  std::string message = "several agents are called " + std::string(text) + ":";
  for (const auto& [key, agent] : found) message += "\n  " + key;
  return Error{ErrorCode::kInvalid, message};
}

void add_agent_routes(Server& server, const AgentSources& sources) {
  using Action = void (*)(const AgentSources&, const Request&, const Responder&);
  const auto bound = [&](Action action) {
    return [sources, action](const Request& request, const Responder& responder) {
      action(sources, request, responder);
    };
  };
  server.add({.method = "GET",
              .path = "/_hearth/agents",
              .handle = bound(list),
              .what = "every agent that is known: ?match=TEXT, ?limit=N"});
  server.add({.method = "GET",
              .path = "/_hearth/agents/why",
              .handle = bound(why),
              .what = "what became of an agent: ?agent=NAME, ?limit=N"});
  server.add({.method = "POST",
              .path = "/_hearth/agents/release",
              .handle = bound(release),
              .what = "frees an agent from quarantine: ?agent=NAME"});
}

}  // namespace hearth::admin
