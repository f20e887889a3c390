#include "admin/state_api.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "core/state_access.h"

namespace hearth::admin {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
constexpr std::size_t kAdoptBytesMax = 16 * 1024 * 1024;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void tell_state(const StateSources& from, const Request&, const Responder& responder) {
  Json answer{{"agents", Json::array()}, {"alarms", Json::array()}, {"awake", Json::array()}};
  for (const core::StoredAgent& each : from.registry.agents()) {
    answer["agents"].push_back(
        {{"uniqueKey", each.unique_key}, {"id", each.id}, {"name", each.name}});
  }
  for (const core::AgentState& each : from.engine.agent_states()) {
    const Json agent{{"uniqueKey", each.unique_key}, {"id", each.id.hex()}, {"name", each.name}};
    if (each.awake) answer["awake"].push_back(agent);
    if (!each.alarm_ms) continue;
    answer["alarms"].push_back(agent);
    answer["alarms"].back()["atMs"] = *each.alarm_ms;
  }
  responder.ok(dump(answer));
}

// One agent's database and its facets', counted until the last is through.
struct CopyJob {
  explicit CopyJob(Responder to) : responder(std::move(to)) {}

  Responder responder;
  std::size_t left = 0;
  std::size_t copied = 0;
  Status status;
};

void copy(const StateSources& from, const Request& request, const Responder& responder) {
  const Json json = Json::parse(request.body, nullptr, false);
  if (!json.is_object()) return responder.fail(400, "", "the body is no JSON object");
  const std::string key = json.value("uniqueKey", "");
  const std::string id = json.value("id", "");
  const fs::path to = json.value("to", "");
  if (!to.is_absolute() || !wire::parse_agent_id(id)) {
    return responder.fail(400, "", "a copy needs uniqueKey, id and to, an absolute path");
  }
  const auto agent = from.engine.agent_id(key, id);
  // No host opens the files of a class that is not served.
  if (!agent) return responder.ok(R"({"served":false})");
  const auto files = core::copied_files(from.state / "do" / key / (id + ".sqlite"), to);
  auto job = std::make_shared<CopyJob>(responder);
  job->left = files.size();
  for (const auto& [file, target] : files) {
    const bool facet = target != to;
    from.engine.copy_database(*agent, file, target, [job, facet](const Status& status) {
      const bool gone = facet && !status && status.error().code == ErrorCode::kNotFound;
      if (status) ++job->copied;
      if (!status && !gone && job->status) job->status = status;
      if (--job->left > 0) return;
      if (!job->status) return job->responder.fail(job->status.error());
      job->responder.ok(dump({{"served", true}, {"copied", job->copied}}));
    });
  }
}

void adopt(const StateSources& from, const Request& request, const Responder& responder) {
  const Json json = Json::parse(request.body, nullptr, false);
  if (!json.is_object() || !json["agents"].is_array()) {
    return responder.fail(400, "", "the body is not {\"agents\":[…]}");
  }
  for (const Json& each : json["agents"]) {
    const std::string key = each.value("uniqueKey", "");
    const std::string id = each.value("id", "");
    const std::string name = each.value("name", "");
    const std::int64_t alarm_ms = each.value("alarmMs", std::int64_t{-1});
    if (!wire::parse_agent_id(id))
      return responder.fail(400, "", "\"" + id + "\" is no agent's id");
    if (const auto agent = from.engine.agent_id(key, id)) {
      from.engine.adopt_agent(*agent, name, alarm_ms);
      continue;
    }
    from.registry.agent_opened(key, id, name);
    from.registry.agent_closed(key, id);
    if (alarm_ms >= 0) from.registry.set_alarm({key, id, name, alarm_ms, 0});
  }
  responder.ok(dump({{"adopted", json["agents"].size()}}));
}

}  // namespace

void add_state_routes(Server& server, const StateSources& sources) {
  using Action = void (*)(const StateSources&, const Request&, const Responder&);
  const auto bound = [&](Action action) {
    return [sources, action](const Request& request, const Responder& responder) {
      if (request.local) return action(sources, request, responder);
      responder.fail(403, "", "this is answered on the state folder's own socket only",
                     "Run `hearth state` on the machine of the server.");
    };
  };
  server.add({.method = "GET",
              .path = "/_hearth/state",
              .handle = bound(tell_state),
              .what = "names and alarms of all agents, for `hearth state`"});
  server.add({.method = "POST",
              .path = "/_hearth/state/copy",
              .handle = bound(copy),
              .what = "copies one agent's database, for `hearth state`"});
  server.add({.method = "POST",
              .path = "/_hearth/state/adopt",
              .handle = bound(adopt),
              .body_bytes_max = kAdoptBytesMax,
              .what = "takes agents whose files were put in place, for `hearth state`"});
}

}  // namespace hearth::admin
