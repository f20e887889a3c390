#include "cli/live_state.h"

#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

namespace hearth::cli {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
constexpr std::uint32_t kCopyTimeoutMs = 600'000;

class LiveAccess final : public core::StateAccess {
 public:
  explicit LiveAccess(admin::Client client) : client_(std::move(client)) {
    client_.set_timeout_ms(kCopyTimeoutMs);
  }

  // Asks the server what it knows. Before anything else.
  Status look() {
    auto answer = client_.ask("GET", "/_hearth/state");
    if (!answer) return answer.error();
    known_ = Json::parse(*answer, nullptr, false);
    if (known_.is_object()) return {};
    return Error{ErrorCode::kIo, "the server's answer is no JSON"};
  }

  std::vector<core::StoredAgent> names() override {
    std::vector<core::StoredAgent> names;
    for (const Json& each : known_["agents"]) {
      names.push_back({each.value("uniqueKey", ""), each.value("id", ""), each.value("name", "")});
    }
    return names;
  }

  std::vector<core::StoredAlarm> alarms() override {
    std::vector<core::StoredAlarm> alarms;
    for (const Json& each : known_["alarms"]) {
      alarms.push_back({each.value("uniqueKey", ""), each.value("id", ""), each.value("name", ""),
                        each.value("atMs", std::int64_t{-1}), 0});
    }
    return alarms;
  }

  Status copy_out(const core::AgentEntry& agent, const fs::path& to, Facets facets) override {
    std::error_code error;
    if (fs::exists(to, error)) {
      return Error{ErrorCode::kConflict, to.string() + " is there already"};
    }
    // The host's copy is neither checked nor synced: it is copied on from a folder beside.
    const fs::path beside =
        fs::absolute(to).parent_path() / (".hearth-copy-" + std::to_string(::getpid()));
    fs::remove_all(beside, error);
    fs::create_directories(beside, error);
    const fs::path copy = beside / (agent.id + ".sqlite");
    Status status = ask_for_copy(agent, copy);
    if (status) status = core::copy_agent_file(copy, to);
    if (status && facets == Facets::kWith) {
      status = core::copy_facets(core::facets_of(copy), core::facets_of(to));
    }
    fs::remove_all(beside, error);
    return status;
  }

  Status may_be_added(const std::vector<core::AgentEntry>& agents) override {
    std::set<std::string> awake;
    for (const Json& each : known_["awake"]) {
      awake.insert(each.value("uniqueKey", "") + "/" + each.value("id", ""));
    }
    for (const core::AgentEntry& each : agents) {
      if (!awake.contains(each.unique_key + "/" + each.id)) continue;
      return Error{ErrorCode::kConflict, "an agent called " +
                                             (each.name.empty() ? each.id : each.name) +
                                             " is there already, at work on the running server"};
    }
    return {};
  }

  Status add(const std::vector<core::AgentEntry>& agents) override {
    Json list = Json::array();
    for (const core::AgentEntry& each : agents) {
      const auto alarm = core::alarm_of_agent_file(each.file);
      if (!alarm) return alarm.error();
      list.push_back({{"uniqueKey", each.unique_key}, {"id", each.id}, {"name", each.name}});
      if (*alarm) list.back()["alarmMs"] = **alarm;
    }
    auto answer = client_.ask("POST", "/_hearth/state/adopt", Json{{"agents", list}}.dump());
    return answer ? Status() : Status(answer.error());
  }

 private:
  Status ask_for_copy(const core::AgentEntry& agent, const fs::path& copy) {
    const Json job{{"uniqueKey", agent.unique_key}, {"id", agent.id}, {"to", copy.string()}};
    auto answer = client_.ask("POST", "/_hearth/state/copy", job.dump());
    if (!answer) return answer.error();
    const Json told = Json::parse(*answer, nullptr, false);
    if (told.is_object() && told.value("served", false)) return {};
    Status status = core::copy_agent_file(agent.file, copy);
    if (status) status = core::copy_facets(core::facets_of(agent.file), core::facets_of(copy));
    return status;
  }

  admin::Client client_;
  Json known_;
};

}  // namespace

Result<std::unique_ptr<core::StateStore>> open_state(const fs::path& state,
                                                     core::StateStore::Open how) {
  auto client = admin::Client::of_state(state);
  if (!client) {
    // kNotFound: nobody serves it, and its lock says whether that is so.
    if (client.error().code != ErrorCode::kNotFound) return client.error();
    return core::StateStore::open(state, how);
  }
  auto access = std::make_unique<LiveAccess>(std::move(client).value());
  if (Status status = access->look(); !status) return status.error();
  return core::StateStore::of_server(state, std::move(access));
}

}  // namespace hearth::cli
