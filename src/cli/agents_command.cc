#include "cli/agents_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "admin/agents_json.h"
#include "base/time_text.h"
#include "cli/reach.h"
#include "core/state_store.h"
#include "server/text.h"
#include "server/usage.h"

namespace hearth::cli {

namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  Where where;
  std::string match;
  std::string agent;
  unsigned limit = 50;
  bool json = false;
};

// ---- a stopped server's, as the admin interface tells them

Result<std::unique_ptr<core::StateStore>> disk_of(const Arguments& arguments) {
  const auto state = state_folder(arguments.where);
  if (!state) return state.error();
  return core::StateStore::open(*state, core::StateStore::Open::kExisting);
}

Json on_disk(core::StateStore& store, const core::AgentEntry& agent) {
  Json json{{"class", ""},    {"name", agent.name},
            {"id", agent.id}, {"uniqueKey", agent.unique_key},
            {"awake", false}, {"sockets", 0}};
  for (const core::StoredAlarm& each : store.alarms()) {
    if (each.id == agent.id && each.unique_key == agent.unique_key) json["alarmMs"] = each.at_ms;
  }
  return json;
}

Result<Json> list_on_disk(const Arguments& arguments) {
  auto store = disk_of(arguments);
  if (!store) return store.error();
  Json list = Json::array();
  for (const core::AgentEntry& each : (*store)->agents()) {
    if (each.name.find(arguments.match) == std::string::npos &&
        each.id.find(arguments.match) == std::string::npos) {
      continue;
    }
    list.push_back(on_disk(**store, each));
  }
  return Json{{"agents", list}, {"total", list.size()}};
}

Result<Json> why_on_disk(const Arguments& arguments) {
  auto store = disk_of(arguments);
  if (!store) return store.error();
  const auto agent = (*store)->find(arguments.agent);
  if (!agent) return agent.error();
  Json answer{{"agent", on_disk(**store, *agent)}};
  const auto state = state_folder(arguments.where);
  admin::add_ledger(answer, *state, agent->unique_key, agent->id, arguments.limit);
  return answer;
}

// Of the running server, or of the disk where none serves it.
Result<Json> ask(const Arguments& arguments, const std::string& target,
                 Result<Json> (*otherwise)(const Arguments&)) {
  auto client = reach(arguments.where);
  if (!client) {
    const bool stopped = client.error().code == ErrorCode::kNotFound && arguments.where.url.empty();
    return stopped ? otherwise(arguments) : Result<Json>(client.error());
  }
  auto answer = client->ask("GET", target);
  if (!answer) return answer.error();
  Json json = Json::parse(*answer, nullptr, false);
  if (json.is_object()) return json;
  return Error{ErrorCode::kIo, "the server's answer is no JSON"};
}

// ---- for people

std::string title_of(const Json& agent) {
  const std::string class_name = agent.value("class", "");
  const std::string name = agent.value("name", "");
  return (class_name.empty() ? agent.value("uniqueKey", "") : class_name) + "/" +
         (name.empty() ? agent.value("id", "") : name);
}

std::string state_of(const Json& agent) {
  if (agent.value("quarantined", false)) return "quarantined";
  if (!agent.value("awake", false)) return "asleep";
  return "host " + std::to_string(agent.value("host", 0)) +
         (agent.value("working", false) ? ", working" : "");
}

std::string sockets_of(const Json& agent) {
  const int sockets = agent.value("sockets", 0);
  if (sockets == 0) return {};
  return std::to_string(sockets) + (sockets == 1 ? " socket" : " sockets");
}

int list(const Arguments& arguments) {
  const std::string target = "/_hearth/agents?match=" + admin::percent_encoded(arguments.match);
  const auto found = ask(arguments, target, list_on_disk);
  if (!found) return complain("agents", found.error());
  if (arguments.json) return std::printf("%s\n", found->dump(2).c_str()), 0;
  server::Table table;
  for (const Json& each : (*found)["agents"]) {
    const std::string name = each.value("name", "");
    const std::string class_name = each.value("class", "");
    table.add({class_name.empty() ? each.value("uniqueKey", "") : class_name,
               name.empty() ? each.value("id", "") : name, state_of(each), sockets_of(each),
               each.contains("alarmMs") ? "alarm " + time_text(each["alarmMs"]) : ""});
  }
  std::fputs(table.text().c_str(), stdout);
  const std::size_t shown = (*found)["agents"].size();
  const std::size_t total = found->value("total", shown);
  std::printf("%zu %s\n", total, total == 1 ? "agent" : "agents");
  if (shown < total) std::printf("(the first %zu; --match TEXT shows fewer)\n", shown);
  return 0;
}

int why(const Arguments& arguments) {
  const std::string target = "/_hearth/agents/why?limit=" + std::to_string(arguments.limit) +
                             "&agent=" + admin::percent_encoded(arguments.agent);
  const auto found = ask(arguments, target, why_on_disk);
  if (!found) return complain("agents", found.error());
  if (arguments.json) return std::printf("%s\n", found->dump(2).c_str()), 0;
  const Json& agent = (*found)["agent"];
  std::printf("%s  %s\n", title_of(agent).c_str(), agent.value("id", "").c_str());
  server::Table facts;
  std::string now = state_of(agent);
  if (agent.contains("version")) now += ", version " + std::to_string(agent.value("version", 0));
  if (agent.value("sockets", 0) > 0) now += ", " + sockets_of(agent);
  if (agent.value("events", 0) > 0) {
    now += ", " + std::to_string(agent.value("events", 0)) + " events waiting or being handled";
  }
  facts.add({"  now", now});
  facts.add({"  next alarm",
             agent.contains("alarmMs") ? time_text(agent["alarmMs"]) : std::string("none")});
  if (found->contains("lastError")) {
    const Json& error = (*found)["lastError"];
    facts.add({"  last error", time_text_ms(error.value("atMs", std::int64_t{0})) + "  " +
                                   error.value("what", "")});
  }
  std::printf("%s\n", facts.text().c_str());
  for (const Json& each : (*found)["entries"]) {
    std::printf("%s  %s\n", time_text_ms(each.value("atMs", std::int64_t{0})).c_str(),
                each.value("what", "").c_str());
  }
  if ((*found)["entries"].empty()) std::printf("nothing is known of what became of it\n");
  if (found->contains("fault")) {
    std::fprintf(stderr, "warning: the ledger: %s\n", found->value("fault", "").c_str());
  }
  if (found->value("lost", 0) > 0) {
    std::fprintf(stderr, "warning: %d entries of this server were lost: its disk was too slow\n",
                 found->value("lost", 0));
  }
  return 0;
}

int release(const Arguments& arguments) {
  auto client = reach(arguments.where);
  if (!client) return complain("agents", client.error());
  auto answer = client->ask(
      "POST", "/_hearth/agents/release?agent=" + admin::percent_encoded(arguments.agent));
  if (!answer) return complain("agents", answer.error());
  const Json json = Json::parse(*answer, nullptr, false);
  std::printf("%s may run again\n", title_of(json["released"]).c_str());
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
  const auto with_agent = [&](CLI::App* command) {
    command
        ->add_option("AGENT", arguments.agent, "NAME, ID, CLASS/NAME or CLASS/ID, as `list` says")
        ->required();
  };
  CLI::App* list_command = add("list", "every agent: class, name, where it is, sockets, alarm");
  list_command->add_option("--match", arguments.match, "only those whose name or id holds this");
  list_command->add_flag("--json", arguments.json, "as JSON, for programs");
  CLI::App* why_command = add("why", "what became of an agent and why, the last at the end");
  with_agent(why_command);
  why_command->add_option("--limit", arguments.limit, "how many entries (default: 50)")
      ->check(CLI::Range(1, 1'000));
  why_command->add_flag("--json", arguments.json, "as JSON, for programs");
  CLI::App* release_command = add("release", "let an agent that is quarantined (R414) run again");
  with_agent(release_command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return server::tell_usage(app, error);
  }
  if (why_command->parsed()) return why(arguments);
  if (release_command->parsed()) return release(arguments);
  return list(arguments);
}

}  // namespace hearth::cli
