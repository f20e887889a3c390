#include "admin/agents_api.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

namespace hearth::admin {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kListedMax = 10'000;

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
  if (agent.awake) json["host"] = agent.host;
  json["sockets"] = agent.sockets;
  json["events"] = agent.events;
  json["working"] = agent.working;
  json["quarantined"] = agent.quarantined;
  if (agent.alarm_ms) json["alarmMs"] = *agent.alarm_ms;
  return json;
}

// Those that sleep are known to the registry alone.
Json all_agents(core::Engine& engine, core::Registry& registry, const std::string& match) {
  std::map<std::pair<std::string, std::string>, Json> agents;  // by class and name, then id
  const auto add = [&](Json json) {
    const std::string name = json["name"];
    const std::string id = json["id"];
    if (name.find(match) == std::string::npos && id.find(match) == std::string::npos) return;
    agents.try_emplace({json["uniqueKey"].get<std::string>(), name + '\0' + id}, std::move(json));
  };
  std::map<std::string, bool> seen;
  for (const core::AgentState& each : engine.agent_states()) {
    seen[each.unique_key + each.id.hex()] = true;
    add(to_json(each));
  }
  for (const core::StoredAgent& each : registry.agents()) {
    if (seen.contains(each.unique_key + each.id)) continue;
    add({{"class", engine.class_of(each.unique_key)},
         {"name", each.name},
         {"id", each.id},
         {"uniqueKey", each.unique_key},
         {"awake", false},
         {"sockets", 0},
         {"events", 0},
         {"working", false},
         {"quarantined", false}});
  }
  Json list = Json::array();
  for (auto& [key, json] : agents) list.push_back(std::move(json));
  return list;
}

}  // namespace

void add_agent_routes(Server& server, core::Engine& engine, core::Registry& registry) {
  server.add({.method = "GET",
              .path = "/_hearth/agents",
              .handle =
                  [&](const Request& request, const Responder& responder) {
                    Json agents = all_agents(engine, registry, request.field("match"));
                    const std::size_t limit =
                        std::min(number_in(request, "limit", kListedMax), kListedMax);
                    const std::size_t total = agents.size();
                    if (total > limit)
                      agents.erase(agents.begin() + static_cast<long>(limit), agents.end());
                    responder.ok(dump({{"agents", std::move(agents)}, {"total", total}}));
                  },
              .what = "every agent that is known: ?match=TEXT, ?limit=N"});
}

}  // namespace hearth::admin
