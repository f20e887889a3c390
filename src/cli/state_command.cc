#include "cli/state_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

#include "base/time_text.h"
#include "cli/live_state.h"
#include "cli/reach.h"
#include "core/state_store.h"
#include "server/text.h"
#include "server/usage.h"

namespace hearth::cli {

namespace {

namespace fs = std::filesystem;
using core::AgentEntry;
using core::StateStore;

struct Arguments {
  Where where;
  std::string agent;
  std::string name;
  fs::path path;
  bool wrangler = false;
};

std::string called(const AgentEntry& agent) {
  return agent.unique_key + "/" + (agent.name.empty() ? agent.id : agent.name);
}

int list(StateStore& store) {
  std::map<std::string, std::int64_t> alarms;
  for (const core::StoredAlarm& each : store.alarms()) {
    alarms[each.unique_key + "/" + each.id] = each.at_ms;
  }
  const std::vector<AgentEntry> agents = store.agents();
  for (const AgentEntry& each : agents) {
    std::error_code error;
    const std::uintmax_t bytes = fs::file_size(each.file, error);
    const auto alarm = alarms.find(each.unique_key + "/" + each.id);
    std::printf("%s  %s  %s  %llu bytes%s\n", each.unique_key.c_str(), each.id.c_str(),
                each.name.empty() ? "(name not known)" : each.name.c_str(),
                static_cast<unsigned long long>(error ? 0 : bytes),
                alarm == alarms.end() ? "" : ("  alarm " + time_text(alarm->second)).c_str());
  }
  std::printf("%zu %s\n", agents.size(), agents.size() == 1 ? "agent" : "agents");
  return 0;
}

int show(StateStore& store, const Arguments& arguments) {
  const auto agent = store.find(arguments.agent);
  if (!agent) return complain("state", agent.error());
  const auto facts = store.inspect(*agent);
  if (!facts) return complain("state", facts.error());
  std::printf("namespace  %s\nid         %s\nname       %s\nfile       %s\nsize       %lld bytes\n",
              agent->unique_key.c_str(), agent->id.c_str(),
              agent->name.empty() ? "(not known)" : agent->name.c_str(), agent->file.c_str(),
              static_cast<long long>(facts->bytes));
  std::printf("alarm      %s\nkeys       %lld\n",
              facts->alarm_ms ? time_text(*facts->alarm_ms).c_str() : "none",
              static_cast<long long>(facts->keys));
  for (const auto& [table, rows] : facts->tables) {
    std::printf("table      %s, %s rows\n", table.c_str(),
                rows < 0 ? "unknown" : std::to_string(rows).c_str());
  }
  return 0;
}

int tell(const Result<core::Carried>& carried, const char* done, const fs::path& where) {
  if (!carried) return complain("state", carried.error());
  for (const std::string& warning : carried->warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  std::map<std::string, std::size_t> counts;
  for (const AgentEntry& each : carried->agents) ++counts[each.unique_key];
  for (const auto& [key, count] : counts) std::printf("%s: %zu\n", key.c_str(), count);
  std::printf("%zu %s %s %s\n", carried->agents.size(),
              carried->agents.size() == 1 ? "agent" : "agents", done, where.c_str());
  return 0;
}

int fork(StateStore& store, const Arguments& arguments) {
  const auto agent = store.find(arguments.agent);
  if (!agent) return complain("state", agent.error());
  const auto copy = store.fork(*agent, arguments.name);
  if (!copy) return complain("state", copy.error());
  std::printf("%s is now also %s (%s)\n", called(*agent).c_str(), called(*copy).c_str(),
              copy->id.c_str());
  return 0;
}

}  // namespace

int state_command(int argc, const char* const* argv) {
  CLI::App app{
      "hearth state: look at and move what is kept, while a hearth serves it or none does"};
  app.name("hearth state");
  app.require_subcommand(1);
  Arguments arguments;
  const auto add = [&](const char* name, const char* what) {
    CLI::App* command = app.add_subcommand(name, what);
    add_where_options(*command, arguments.where, Reach::kThisMachine);
    return command;
  };
  const auto with_path = [&](CLI::App* command, const char* what) {
    command->add_option("PATH", arguments.path, what)->required();
  };
  const auto with_agent = [&](CLI::App* command) {
    command
        ->add_option("AGENT", arguments.agent, "NAME, ID, CLASS/NAME or CLASS/ID, as `list` says")
        ->required();
  };
  CLI::App* list_command = add("list", "every agent: namespace, id, name, size, alarm");
  CLI::App* show_command = add("show", "one agent: its keys, tables and alarm");
  with_agent(show_command);
  CLI::App* export_command = add("export", "write a workerd disk, or wrangler's local state");
  with_path(export_command, "the folder to write to");
  export_command->add_flag("--wrangler", arguments.wrangler,
                           "PATH is what `wrangler dev --persist-to` takes (.wrangler/state)");
  CLI::App* import_command = add("import", "take the agents of a workerd disk or .wrangler/state");
  with_path(import_command, "the folder to read");
  CLI::App* backup_command = add("backup", "copy everything to a new folder");
  with_path(backup_command, "the folder to make");
  CLI::App* restore_command = add("restore", "take everything from a backup");
  with_path(restore_command, "the backup");
  CLI::App* fork_command = add("fork", "copy an agent under a new name");
  with_agent(fork_command);
  fork_command->add_option("NEW", arguments.name, "the copy's name")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return server::tell_usage(app, error);
  }

  const auto path = state_folder(arguments.where);
  if (!path) return complain("state", path.error());
  const bool takes_in = import_command->parsed() || restore_command->parsed();
  auto opened =
      open_state(*path, takes_in ? StateStore::Open::kMakeIfMissing : StateStore::Open::kExisting);
  if (!opened) return complain("state", opened.error());
  StateStore& store = **opened;
  if (list_command->parsed()) return list(store);
  if (show_command->parsed()) return show(store, arguments);
  if (fork_command->parsed()) return fork(store, arguments);
  if (import_command->parsed()) {
    return tell(store.import_from(arguments.path), "taken into", *path);
  }
  if (restore_command->parsed()) {
    return tell(store.restore_from(arguments.path), "restored to", *path);
  }
  if (backup_command->parsed()) {
    return tell(store.back_up_to(arguments.path), "copied to", arguments.path);
  }
  const fs::path disk = arguments.wrangler ? arguments.path / "v3" / "do" : arguments.path;
  return tell(store.export_to(disk), "written to", disk);
}

}  // namespace hearth::cli
