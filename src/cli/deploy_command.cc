#include "cli/deploy_command.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/time_text.h"
#include "cli/reach.h"
#include "cli/rehearse_report.h"
#include "core/registry.h"
#include "os/asio_world.h"
#include "os/files.h"
#include "server/environment.h"
#include "server/text.h"
#include "server/usage.h"
#include "worker/bundler.h"
#include "worker/code_checks.h"
#include "worker/node_launcher.h"
#include "worker/package.h"
#include "worker/versions.h"

namespace hearth::cli {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uint32_t kBuildMsMax = 300'000;
constexpr std::uint32_t kDeployMsMax = 180'000;
constexpr std::chrono::seconds kUpgradeMax{60};  // of the server, which then takes builds again
constexpr std::chrono::milliseconds kAskAgain{200};
constexpr std::uint32_t kRehearsalMsMax = 600'000;  // copies may be large

struct Arguments {
  Where where;
  std::vector<fs::path> others;  // configurations of further workers
  std::vector<std::string> vars;
  std::vector<std::string> secrets;
  std::vector<std::string> yes_delete;
  std::string message;
  std::string id;
  fs::path node;
  unsigned rehearse_agents = 20;
  unsigned rehearse_seconds = 10;
  bool all_secrets = false;
  bool rehearse = false;
  bool json = false;
};

std::pair<std::string, std::string> divided(const std::string& text, char at) {
  const std::size_t place = text.find(at);
  if (place == std::string::npos) return {text, ""};
  return {text.substr(0, place), text.substr(place + 1)};
}

// One line of the bundler's.
Result<std::string> build(const project::Project& project, bool first, const fs::path& folder,
                          const worker::Companions& companions) {
  auto job = Json::parse(project.bundle_job_json);
  job["outdir"] = folder.string();
  job["watch"] = false;
  job["scan"] = false;
  if (!first) job["worker"] = project.name;
  boost::asio::io_context context{1};
  os::AsioLoop loop{context};
  os::SystemProcesses processes{context};
  std::string report;
  std::string ending = "nothing said in time";
  worker::Bundler bundler(
      context, processes, companions, [&](std::string_view line) { report = std::string(line); },
      [&](const std::string& how) {
        ending = how;
        context.stop();
      });
  if (Status started = bundler.start(job.dump()); !started) return started.error();
  loop.after(kBuildMsMax, [&] { context.stop(); });
  context.run();
  if (report.empty()) return Error{ErrorCode::kIo, "the bundler ended with " + ending};
  return report;
}

// What a build says against being deployed.
Status check(const project::Project& project, bool alone, const std::string& line,
             const worker::BuildReport& report) {
  if (!report.ok) {
    return Error{ErrorCode::kInvalid, "the build" + (alone ? "" : " of " + project.name) +
                                          " is broken\n" + report.errors};
  }
  for (const project::Finding& each :
       worker::check_exports(project, worker::facts_of_report(line))) {
    if (each.code != "B204") continue;
    return Error{ErrorCode::kInvalid,
                 project::sentence(each) + "\n" + project::diff_of(each.edits, project.root)};
  }
  return {};
}

std::string source_text(const project::Project& project) {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  const char* user = ::getenv("USER");
  return std::string(user == nullptr ? "" : std::string(user) + "@") + host + ":" +
         project.config_path.string();
}

// Builds each worker, and notes in its document what env has of its configuration. `number`: its
// place among those of `options`.
Result<worker::BuiltWorker> built(project::Project project, std::size_t number,
                                  project::LoadOptions options, const fs::path& folder,
                                  const worker::Companions& companions) {
  for (const std::string& each : project.warnings) {
    std::fprintf(stderr, "warning: %s\n", each.c_str());
  }
  const auto built_line = build(project, number == 0, folder, companions);
  if (!built_line) return built_line.error();
  const std::string& line = *built_line;
  const auto report = worker::read_report(line);
  if (!report) return report.error();
  for (const std::string& each : report->warnings) {
    std::fprintf(stderr, "warning: %s\n", each.c_str());
  }
  if (Status checked = check(project, options.others.empty(), line, *report); !checked)
    return checked.error();
  if (number > 0) {
    std::swap(options.config, options.others[number - 1]);
    options.vars.clear();
  }
  Json document = Json::parse(project.worker_json);
  const project::Inspection inspection = project::inspect(options);
  document["environment"] =
      Json::parse(server::environment_json(project, worker::facts_of_report(line),
                                           inspection.findings, inspection.others)
                      .dump(-1, ' ', false, Json::error_handler_t::replace));
  project.worker_json = document.dump();
  return worker::BuiltWorker{std::move(project), report->bundle};
}

Result<worker::Package> make(const Arguments& arguments, const fs::path& work) {
  auto companions = worker::Companions::find(os::program_path(), arguments.node);
  if (!companions) return companions.error();
  project::LoadOptions options;
  options.config = arguments.where.config;
  options.others = arguments.others;
  options.environment = arguments.where.environment;
  options.dev = false;
  for (const std::string& each : arguments.vars) options.vars.push_back(divided(each, ':'));
  auto projects = project::load_all(options);
  if (!projects) return projects.error();
  std::vector<worker::BuiltWorker> workers;
  for (std::size_t number = 0; number < projects->size(); ++number) {
    auto worker = built((*projects)[number], number, options,
                        work / ("bundle-" + std::to_string(number)), *companions);
    if (!worker) return worker.error();
    workers.push_back(std::move(worker).value());
  }
  auto package = worker::make_package(workers);
  if (!package) return package;
  package->manifest["content"] = worker::content_hash(*package);
  package->manifest["message"] = arguments.message;
  package->manifest["yesDelete"] = arguments.yes_delete;
  Json secrets = Json::object();
  if (arguments.all_secrets) {
    for (const auto& [name, value] : worker::secret_values(*projects)) secrets[name] = value;
  }
  for (const std::string& each : arguments.secrets) {
    const auto [name, value] = divided(each, '=');
    secrets[name] = value;
  }
  package->manifest["secrets"] = std::move(secrets);
  package->manifest["from"] = source_text(projects->front());
  return package;
}

int tell(const Result<std::string>& answer, const char* command, const char* what) {
  if (!answer) {
    complain(command, answer.error());
    std::fprintf(stderr, "nothing was changed\n");
    return 1;
  }
  const Json json = Json::parse(*answer, nullptr, false);
  if (!json.is_object()) return complain(command, {ErrorCode::kIo, "the answer cannot be read"});
  for (const Json& each : json.value("warnings", Json::array())) {
    std::fprintf(stderr, "warning: %s\n", each.get<std::string>().c_str());
  }
  for (const Json& each : json.value("steps", Json::array())) {
    std::printf("%s\n", each.get<std::string>().c_str());
  }
  std::printf("version %s is %s, after %lld ms\n", json.value("version", "").c_str(), what,
              static_cast<long long>(json.value("ms", 0)));
  return 0;
}

// 1 as well when a copy failed to start.
int rehearse(admin::Client& client, const Arguments& arguments, const std::string& package) {
  client.set_timeout_ms(kRehearsalMsMax);
  const auto answer =
      client.ask("POST",
                 "/_hearth/rehearse?agents=" + std::to_string(arguments.rehearse_agents) +
                     "&seconds=" + std::to_string(arguments.rehearse_seconds),
                 package, "application/x-hearth-package");
  if (!answer) {
    complain("deploy", answer.error());
    std::fprintf(stderr, "nothing was changed\n");
    return 1;
  }
  const Json report = Json::parse(*answer, nullptr, false);
  if (!report.is_object()) return complain("deploy", {ErrorCode::kIo, "the answer cannot be read"});
  for (const Json& each : report.value("warnings", Json::array())) {
    std::fprintf(stderr, "warning: %s\n", each.get<std::string>().c_str());
  }
  std::fputs((arguments.json ? report.dump(2) + "\n" : rehearsal_text(report)).c_str(), stdout);
  return report.value("ok", false) ? 0 : 1;
}

// A server that is being upgraded, or has many to wait for, says so (503): the one that follows it
// is asked again.
Result<std::string> asked_until_taken(admin::Client client, const Where& where,
                                      const std::string& target, std::string_view body = {},
                                      std::string_view type = "application/json") {
  const auto until = std::chrono::steady_clock::now() + kUpgradeMax;
  for (;;) {
    client.set_timeout_ms(kDeployMsMax);
    auto answer = client.ask("POST", target, body, type);
    const bool later = !answer && answer.error().code == ErrorCode::kCancelled;
    // While one process takes another's place, nobody listens.
    std::optional<admin::Client> next;
    while (later && !next && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(kAskAgain);
      if (auto found = reach(where)) next = std::move(found).value();
    }
    if (!next) return answer;
    client = std::move(*next);
  }
}

int deploy(const Arguments& arguments) {
  auto client = reach(arguments.where);
  if (!client) return complain("deploy", client.error());
  const os::TemporaryFolder work("hearth-deploy-");
  if (work.path().empty()) {
    return complain("deploy", {ErrorCode::kIo, "no temporary folder could be made"});
  }
  auto package = make(arguments, work.path());
  if (!package) return complain("deploy", package.error());
  const auto bytes = worker::packed(*package);
  if (!bytes) return complain("deploy", bytes.error());
  if (arguments.rehearse) return rehearse(*client, arguments, *bytes);
  return tell(asked_until_taken(std::move(client).value(), arguments.where, "/_hearth/deploy",
                                *bytes, "application/x-hearth-package"),
              "deploy", "served");
}

// Of a server that is stopped, from its disk.
Result<Json> versions_on_disk(const Where& where) {
  const auto state = state_folder(where);
  if (!state) return state.error();
  boost::asio::io_context context{1};
  os::AsioLoop loop{context};
  auto registry = core::Registry::open(*state, loop);
  if (!registry) return registry.error();
  const bool clean = (*registry)->was_closed_cleanly();
  Json listed = worker::VersionStore(*state, **registry).listed();
  if (clean) (*registry)->close();
  return listed;
}

Result<Json> versions_of(const Where& where) {
  auto client = reach(where);
  if (!client) {
    const bool stopped = client.error().code == ErrorCode::kNotFound && where.url.empty();
    return stopped ? versions_on_disk(where) : Result<Json>(client.error());
  }
  const auto answer = client->ask("GET", "/_hearth/versions");
  if (!answer) return answer.error();
  return Json::parse(answer.value(), nullptr, false);
}

int versions(const Arguments& arguments) {
  const auto found = versions_of(arguments.where);
  if (!found) return complain("versions", found.error());
  if (arguments.json) return std::printf("%s\n", found.value().dump(2).c_str()), 0;
  server::Table table;
  for (const Json& each : found.value()["versions"]) {
    table.add({each.value("current", false) ? "*" : " ", each.value("id", ""),
               time_text(each.value("createdMs", std::int64_t{0})), each.value("message", ""),
               each.value("source", "")});
  }
  std::fputs(table.text().c_str(), stdout);
  return 0;
}

int rollback(const Arguments& arguments) {
  auto client = reach(arguments.where);
  if (!client) return complain("rollback", client.error());
  return tell(asked_until_taken(std::move(client).value(), arguments.where,
                                "/_hearth/rollback?id=" + admin::percent_encoded(arguments.id)),
              "rollback", "served again");
}

template <typename Add>
int parsed(int argc, const char* const* argv, const char* what, Arguments& arguments, Add add,
           int (*run)(const Arguments&)) {
  ::signal(SIGPIPE, SIG_IGN);
  CLI::App app{what};
  app.name(std::string("hearth ") + argv[0]);
  add_where_options(app, arguments.where, Reach::kAnywhere);
  add(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return server::tell_usage(app, error);
  }
  return run(arguments);
}

void add_rehearsal_options(CLI::App& app, Arguments& arguments) {
  CLI::Option* rehearse =
      app.add_flag("--rehearse", arguments.rehearse,
                   "start the code on copies of the server's agents, and change nothing");
  app.add_option("--rehearse-agents", arguments.rehearse_agents,
                 "how many of each class, those that were awake last first (default 20)")
      ->needs(rehearse)
      ->check(CLI::Range(1, 1'000));
  app.add_option("--rehearse-seconds", arguments.rehearse_seconds,
                 "how long one may take to start (default 10)")
      ->needs(rehearse)
      ->check(CLI::Range(1, 60));
  app.add_flag("--json", arguments.json, "the rehearsal's report as JSON, for programs")
      ->needs(rehearse);
}

}  // namespace

int deploy_command(int argc, const char* const* argv) {
  Arguments arguments;
  const auto named = [](char at) {
    return [at](const std::string& text) {
      const std::size_t place = text.find(at);
      return place == std::string::npos || place == 0
                 ? "\"" + text + "\" is not NAME" + std::string(1, at) + "VALUE"
                 : std::string();
    };
  };
  return parsed(
      argc, argv, "hearth deploy: build a project, and let a running hearth serve it", arguments,
      [&](CLI::App& app) {
        app.remove_option(app.get_option("--config"));
        app.add_option_function<std::vector<fs::path>>(
               "-c,--config",
               [&](const std::vector<fs::path>& given) {
                 arguments.where.config = given.front();
                 arguments.others.assign(given.begin() + 1, given.end());
               },
               "the project, or its configuration; given again: further workers that it binds")
            ->take_all();
        app.add_option("--var", arguments.vars, "KEY:VALUE, a variable for env (may be repeated)")
            ->take_all()
            ->check(named(':'));
        app.add_option("-m,--message", arguments.message, "what is new, for `hearth versions`");
        app.add_option("--yes-delete", arguments.yes_delete,
                       "CLASS, whose agents a migration may delete (may be repeated)");
        app.add_option("--secret", arguments.secrets,
                       "NAME=VALUE, kept by the server; WORKER:NAME=VALUE for one of several (may "
                       "be repeated)")
            ->take_all()
            ->check(named('='));
        app.add_flag("--secrets", arguments.all_secrets,
                     "send the secrets of .dev.vars and .env; without it they stay here");
        app.add_option("--node", arguments.node, "the Node.js to build with")
            ->check(CLI::ExistingFile);
        add_rehearsal_options(app, arguments);
      },
      deploy);
}

int versions_command(int argc, const char* const* argv) {
  Arguments arguments;
  return parsed(
      argc, argv, "hearth versions: the versions of the code that a server keeps", arguments,
      [&](CLI::App& app) { app.add_flag("--json", arguments.json, "as JSON, for programs"); },
      versions);
}

int rollback_command(int argc, const char* const* argv) {
  Arguments arguments;
  return parsed(
      argc, argv, "hearth rollback: serve a version again that was served before", arguments,
      [&](CLI::App& app) {
        app.add_option("ID", arguments.id,
                       "as `hearth versions` shows it; by default the one "
                       "before the current one");
      },
      rollback);
}

}  // namespace hearth::cli
