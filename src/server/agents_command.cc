#include "server/agents_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/state_store.h"
#include "server/reach.h"
#include "server/text.h"

namespace hearth::server {

namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  Where where;
  std::string match;
  bool json = false;
};

// As the admin interface tells them.
Result<Json> agents_on_disk(const Arguments& arguments) {
  const auto state = state_folder(arguments.where);
  if (!state) return state.error();
  auto store = core::StateStore::open(*state, core::StateStore::Open::kExisting);
  if (!store) return store.error();
  std::map<std::string, std::int64_t> alarms;
  for (const core::StoredAlarm& each : (*store)->alarms()) {
    alarms[each.unique_key + "/" + each.id] = each.at_ms;
  }
  Json list = Json::array();
  for (const core::AgentEntry& each : (*store)->agents()) {
    if (each.name.find(arguments.match) == std::string::npos &&
        each.id.find(arguments.match) == std::string::npos) {
      continue;
    }
    Json json{{"class", ""},    {"name", each.name},
              {"id", each.id},  {"uniqueKey", each.unique_key},
              {"awake", false}, {"sockets", 0}};
    const auto alarm = alarms.find(each.unique_key + "/" + each.id);
    if (alarm != alarms.end()) json["alarmMs"] = alarm->second;
    list.push_back(std::move(json));
  }
  return Json{{"agents", list}, {"total", list.size()}};
}

// kNotFound of a state folder means that nobody serves it: its disk is read.
Result<Json> list_of(const Arguments& arguments) {
  auto client = reach(arguments.where);
  if (!client) {
    const bool stopped = client.error().code == ErrorCode::kNotFound && arguments.where.url.empty();
    return stopped ? agents_on_disk(arguments) : Result<Json>(client.error());
  }
  const std::string target = "/_hearth/agents?match=" + admin::percent_encoded(arguments.match);
  auto answer = client->ask("GET", target);
  if (!answer) return answer.error();
  return Json::parse(*answer, nullptr, false);
}

std::string state_of(const Json& agent) {
  if (agent.value("quarantined", false)) return "quarantined";
  if (!agent.value("awake", false)) return "asleep";
  return "host " + std::to_string(agent.value("host", 0)) +
         (agent.value("working", false) ? ", working" : "");
}

int list(const Arguments& arguments) {
  const auto found = list_of(arguments);
  if (!found) return complain("agents", found.error());
  if (arguments.json) return std::printf("%s\n", found->dump(2).c_str()), 0;
  Table table;
  for (const Json& each : (*found)["agents"]) {
    const std::string name = each.value("name", "");
    const std::string class_name = each.value("class", "");
    const int sockets = each.value("sockets", 0);
    table.add(
        {class_name.empty() ? each.value("uniqueKey", "") : class_name,
         name.empty() ? each.value("id", "") : name, state_of(each),
         sockets == 0 ? "" : std::to_string(sockets) + (sockets == 1 ? " socket" : " sockets"),
         each.contains("alarmMs") ? "alarm " + time_text(each["alarmMs"]) : ""});
  }
  std::fputs(table.text().c_str(), stdout);
  const std::size_t shown = (*found)["agents"].size();
  const std::size_t total = found->value("total", shown);
  std::printf("%zu %s\n", total, total == 1 ? "agent" : "agents");
  if (shown < total) std::printf("(the first %zu; --match TEXT shows fewer)\n", shown);
  return 0;
}

}  // namespace

int agents_command(int argc, const char* const* argv) {
  CLI::App app{"hearth agents: which agents there are, and what became of them"};
  app.name("hearth agents");
  app.require_subcommand(1);
  Arguments arguments;
  const auto add = [&](const char* name, const char* what) {
    CLI::App* command = app.add_subcommand(name, what);
    add_where_options(*command, arguments.where, Reach::kAnywhere);
    return command;
  };
  CLI::App* list_command = add("list", "every agent: class, name, where it is, sockets, alarm");
  list_command->add_option("--match", arguments.match, "only those whose name or id holds this");
  list_command->add_flag("--json", arguments.json, "as JSON, for programs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return list(arguments);
}

}  // namespace hearth::server
