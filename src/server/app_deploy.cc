// The program's part in what is served: a build or a kept version becomes a deployment, and the
// Deployer puts it into service.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/time_text.h"
#include "core/trash.h"
#include "project/workers.h"
#include "server/app.h"
#include "server/text.h"

namespace hearth::server {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kBuiltHere[] = "built by hearth serve from ";
constexpr std::uint32_t kSettleMs = 1'000;

}  // namespace

bool App::open_state(const fs::path& path) {
  state_ = fs::absolute(path).lexically_normal();
  auto registry =
      successor_ ? core::Registry::look(state_, loop_) : core::Registry::open(state_, loop_);
  if (!registry) return fail(registry.error().message), false;
  registry_ = std::move(registry).value();
  if (!successor_) remove_rehearsal(state_);
  const Status moved = successor_ ? Status() : core::move_trash(state_, *registry_);
  if (!moved) return fail(moved.error().message), false;
  versions_ = std::make_unique<worker::VersionStore>(state_, *registry_);
  return true;
}

// With a state directory and no configuration named, the version that was served last is served
// again, if there is one; and whoever takes a running server's place serves what that one serves.
bool App::find_projects() {
  const bool state_alone =
      options_.command == Command::kServe && options_.config.empty() && !options_.state.empty();
  if (state_alone) {
    if (!open_state(options_.state)) return false;
    if (versions_->has(versions_->current())) return read_stored();
  }
  if (!load_projects()) return false;
  if (!registry_ &&
      !open_state(options_.state.empty() ? read_.front().root / ".hearth" : options_.state)) {
    return false;
  }
  const bool takes_deployed = successor_ && !dev() && was_deployed(versions_->current());
  return !takes_deployed || read_stored();
}

bool App::was_deployed(const std::string& version) const {
  const auto manifest = versions_->manifest(version);
  return manifest && !manifest->value("source", "").starts_with(kBuiltHere);
}

bool App::read_stored() {
  stored_version_ = versions_->current();
  const auto manifest = versions_->manifest(stored_version_);
  if (!manifest) return fail(manifest.error().message), false;
  auto projects = worker::projects_of(*manifest, versions_->folder_of(stored_version_));
  if (!projects) return fail(projects.error().message), false;
  // Secrets that are beside this server are not in the version.
  if (!read_.empty()) beside_ = worker::secret_values(read_);
  read_ = std::move(projects).value();
  return true;
}

// What each worker's migrations ask of the state; nothing is changed yet.
Result<std::vector<project::MigrationPlan>> App::plan_migrations(
    std::vector<project::Project>& projects) {
  StateRules rules{.confirmed = options_.yes_delete, .tolerates_missing_tags = dev()};
  for (const project::Project& project : projects) rules.workers.push_back(project.name);
  std::vector<project::MigrationPlan> plans;
  for (project::Project& project : projects) {
    auto plan = adopt_state(project, state_, *registry_, rules);
    if (!plan) return plan.error();
    plans.push_back(std::move(plan).value());
  }
  return plans;
}

bool App::adopt() {
  auto plans = plan_migrations(read_);
  if (!plans) {
    registry_->close();  // nothing was opened
    return fail(plans.error().message), false;
  }
  plans_ = std::move(plans).value();
  return true;
}

core::EngineHooks App::engine_hooks() {
  core::EngineHooks hooks;
  hooks.on_warm = [this] { take_over_when_warm(); };
  hooks.on_serving = [this] { on_serving(); };
  hooks.on_loaded = [this](std::uint64_t number, std::string_view json) {
    // A successor's registry is another's until it takes over.
    if (!coming()) deployer_->on_loaded(number);
    on_loaded(json);
  };
  hooks.on_load_failed = [this](std::uint64_t number, std::string_view json) {
    on_load_failed(json);
    deployer_->on_load_failed(number, json);
  };
  hooks.on_switched = [this](std::uint64_t number) { deployer_->on_switched(number); };
  hooks.on_failing = [this](std::uint64_t number, std::string_view ending) {
    if (!stopping_) deployer_->on_failing(number, ending);
  };
  return hooks;
}

void App::make_deployer() {
  Deployer::Setting setting;
  setting.state = state_;
  setting.settle_ms = dev() ? 0 : kSettleMs;
  deployer_ = std::make_unique<Deployer>(setting, *engine_, *registry_, *versions_, console_,
                                         os::World{clock_, loop_, processes_},
                                         [this](const std::vector<project::Project>& projects) {
                                           for (const auto& each : projects)
                                             console_.hide(log::secrets_of(each.worker_json));
                                           return compose(projects);
                                         });
  if (stored_version_.empty()) {
    std::vector<project::Project> here;
    for (const auto& build : builds_) here.push_back(build->project());
    beside_ = worker::secret_values(here);
  }
  deployer_->set_secrets(beside_);
  const std::string refusal =
      dev() ? "this hearth runs in dev and follows its sources: save a file, or run hearth serve"
            : "";
  deploy_api_ = std::make_unique<DeployApi>(
      context_, clock_, *deployer_, *versions_, refusal,
      [this] { return upgrade_asked_ms_ >= 0 || (upgrade_ && upgrade_->going_on()); });
  rehearse_api_ = std::make_unique<RehearseApi>(
      RehearseApi::Parts{context_, os::World{clock_, loop_, processes_}, *engine_, *registry_,
                         *deployer_, launcher_->for_rehearsals(), state_},
      refusal);
}

// The bundles are in the projects' documents already.
core::Deployment App::compose(const std::vector<project::Project>& projects) const {
  project::Joined joined = project::join(projects);
  Json& document = joined.document;
  document["state"] = state_.string();
  document["root"] = projects.front().root.string();
  document["durability"] = options_.durability;
  document["historyDays"] = options_.history_days;
  // Stands still at breakpoints.
  if (options_.inspect) document.erase("cpuMs");
  const std::uint32_t cpu_ms = document.value("cpuMs", 0U);
  document["hangTimeoutMs"] = hang_timeout_ms(cpu_ms);
  document["lastingAfterMs"] = options_.give_up_s * 1'000;
  core::Deployment deployment;
  for (std::size_t number = 0; number < projects.size(); ++number) {
    Json& part = number == 0 ? document : document["workers"][number - 1];
    part["bundle"] = Json::parse(projects[number].worker_json)["bundle"];
    for (const std::string& cron : projects[number].crons) {
      deployment.crons.push_back({cron, static_cast<std::uint16_t>(number)});
    }
  }
  deployment.cpu_ms_max = cpu_ms;
  deployment.blocked_ms_max = hang_timeout_ms(cpu_ms);
  deployment.worker_json = document.dump();
  for (const auto& each : joined.namespaces) {
    deployment.namespaces.push_back({each.class_name, each.unique_key});
  }
  for (const auto& each : joined.routes) {
    deployment.routes.push_back({each.segment, each.binding, each.name_space,
                                 place_in_config(projects.front(), each.at), each.class_name});
  }
  return deployment;
}

// A build in `serve` is a version like those that were deployed.
std::string App::keep_builds() {
  const std::string before = versions_->current();
  std::vector<worker::BuiltWorker> built;
  std::string from;
  for (const auto& build : builds_) {
    built.push_back({build->project(), build->bundle()});
    from += (from.empty() ? "" : " and ") + build->project().config_path.string();
  }
  auto package = worker::make_package(built);
  if (coming()) return package ? versions_->current_if_same(*package) : std::string();
  auto kept = package ? versions_->keep(*package, "", kBuiltHere + from, clock_.wall_ms())
                      : Result<std::string>(package.error());
  if (!kept) {
    console_.say(core::Level::kWarn,
                 "this build is not kept as a version: " + kept.error().message);
    return {};
  }
  const auto other = versions_->manifest(before);
  if (before != kept.value() && was_deployed(before)) {
    console_.say(core::Level::kWarn,
                 "version " + before + ", which was deployed " +
                     time_text(other->value("createdMs", std::int64_t{0})) + " from " +
                     other->value("source", "elsewhere") +
                     ", is another: what was built here takes its place, and `hearth rollback " +
                     before + "` brings it back; `hearth serve --state DIR` alone serves it");
  }
  return kept.value();
}

// What is served from now on: every worker's last good build.
void App::deploy() {
  Candidate candidate;
  for (const auto& build : builds_) {
    if (build->bundle().empty()) return;  // it will come
    project::Project& project = candidate.projects.emplace_back(build->project());
    Json document = Json::parse(project.worker_json);
    document["bundle"] = build->bundle();
    document["environment"] = Json::parse(environment(candidate.projects.size() - 1));
    project.worker_json = document.dump();
  }
  candidate.deployment = compose(candidate.projects);
  candidate.plans = std::exchange(plans_, {});
  candidate.plans.resize(candidate.projects.size());
  if (!dev()) candidate.version = keep_builds();
  deployer_->deploy(std::move(candidate), [this](const Outcome& outcome) { deployed(outcome); });
}

void App::deploy_stored() {
  auto candidate =
      deployer_->candidate(stored_version_, options_.yes_delete, Deployer::Purpose::kDeploy);
  if (!candidate) return fail(candidate.error().message);
  console_.say(core::Level::kInfo,
               "serving version " + stored_version_ + " of " + first().config_path.string());
  for (const std::string& name : deployer_->missing_secrets()) {
    console_.say(core::Level::kWarn, "the secret " + name + " has no value here (C118)");
  }
  deployer_->deploy(std::move(candidate).value(),
                    [this](const Outcome& outcome) { deployed(outcome); });
}

// What the log does not have already.
void App::deployed(const Outcome& outcome) {
  if (outcome.ok || outcome.superseded || outcome.code == "S302" || outcome.code == "S307") return;
  if (serving_) return console_.say(core::Level::kError, outcome.message);
  fail(outcome.message);
}

}  // namespace hearth::server
