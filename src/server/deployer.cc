#include "server/deployer.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/fault.h"
#include "core/trash.h"

namespace hearth::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned kLooksMax = 5;

std::string called(const Candidate& candidate) {
  return candidate.version.empty() ? "the last good build" : "version " + candidate.version;
}

}  // namespace

struct Deployer::Running {
  Candidate candidate;
  Done done;
  std::uint64_t number = 0;
  unsigned looks = 0;
  bool failing = false;
  bool switched = false;
  std::vector<std::string> steps;
};

Deployer::Deployer(Setting setting, core::Engine& engine, core::Registry& registry,
                   worker::VersionStore& versions, core::Report& report, const os::World& world,
                   Compose compose)
    : setting_(std::move(setting)),
      engine_(engine),
      registry_(registry),
      versions_(versions),
      report_(report),
      world_(world),
      compose_(std::move(compose)) {}

Deployer::~Deployer() {
  *alive_ = false;
  world_.loop.cancel(settle_timer_);
}

bool Deployer::busy() const {
  return running_ != nullptr && !running_->failing;
}

Result<Candidate> Deployer::candidate(const std::string& version,
                                      const std::vector<std::string>& confirmed, Purpose purpose) {
  const auto manifest = versions_.manifest(version);
  if (!manifest) return manifest.error();
  auto candidate = candidate_of(*manifest, versions_.folder_of(version), {}, confirmed, purpose);
  if (candidate) candidate->version = version;
  return candidate;
}

Result<Candidate> Deployer::candidate_of(const Json& manifest, const std::filesystem::path& folder,
                                         const std::map<std::string, std::string>& given,
                                         const std::vector<std::string>& confirmed,
                                         Purpose purpose) {
  auto projects = worker::projects_of(manifest, folder);
  if (!projects) return projects.error();
  if (purpose == Purpose::kDeploy) {
    if (const Status whole = has_all_workers(projects.value()); !whole) return whole.error();
  }
  // Those that were given with deploys go before those of the configuration beside this server,
  // and both before the environment.
  std::map<std::string, std::string> secrets = given;
  const std::map<std::string, std::string> kept = versions_.secrets();
  secrets.insert(kept.begin(), kept.end());
  secrets.insert(secrets_.begin(), secrets_.end());
  missing_secrets_.clear();
  StateRules rules;
  rules.confirmed = confirmed;
  rules.tolerates_missing_tags = purpose == Purpose::kRollback;
  for (const project::Project& each : projects.value()) rules.workers.push_back(each.name);
  Candidate candidate;
  for (project::Project& project : projects.value()) {
    give_secrets(project, secrets);
    auto plan = adopt_state(project, setting_.state, registry_, rules);
    if (!plan) return plan.error();
    // Back before a migration: well, unless a class would begin anew that was renamed or deleted.
    const bool makes = std::any_of(plan->steps.begin(), plan->steps.end(), [](const auto& step) {
      return step.kind == project::StepKind::kCreate;
    });
    if (purpose == Purpose::kRollback && !plan->warnings.empty() && makes) {
      return Error{ErrorCode::kConflict,
                   "S304: version " + manifest.value("id", "") + " cannot be served any more: " +
                       plan->warnings.front() + ", and its agents would begin anew"};
    }
    candidate.plans.push_back(std::move(plan).value());
  }
  candidate.projects = std::move(projects).value();
  candidate.deployment = compose_(candidate.projects);
  return candidate;
}

void Deployer::give_secrets(project::Project& project,
                            const std::map<std::string, std::string>& all) {
  std::map<std::string, std::string> secrets = worker::secrets_for(all, project.name);
  Json document = Json::parse(project.worker_json);
  for (const Json& each : document["bindings"]) {
    const std::string name = each.value("name", "");
    const char* value = each.value("type", "") == "secret" ? std::getenv(name.c_str()) : nullptr;
    if (value != nullptr) secrets.emplace(name, value);
  }
  for (std::string& each : worker::fill_secrets(document, secrets)) {
    missing_secrets_.push_back(std::move(each));
  }
  project.worker_json = document.dump();
}

// A deploy of one worker to a server of several would leave the others' agents without code.
Status Deployer::has_all_workers(const std::vector<project::Project>& projects) const {
  if (!good_ || good_->projects.size() == 1) return {};
  std::string served;
  bool whole = true;
  for (const project::Project& each : good_->projects) {
    served += (served.empty() ? "\"" : ", \"") + each.name + "\"";
    whole = whole && std::any_of(projects.begin(), projects.end(),
                                 [&](const auto& other) { return other.name == each.name; });
  }
  if (whole) return {};
  return Error{ErrorCode::kConflict,
               "this server serves the workers " + served +
                   ": a version has all of them, each given with a -c of its own"};
}

void Deployer::deploy(Candidate candidate, Done done) {
  world_.loop.cancel(settle_timer_);
  if (running_) finish({.superseded = true, .message = "a newer build took its place"});
  running_ = std::make_unique<Running>();
  running_->candidate = std::move(candidate);
  running_->done = std::move(done);
  core::Deployment& deployment = running_->candidate.deployment;
  deployment.whole_move =
      std::any_of(running_->candidate.plans.begin(), running_->candidate.plans.end(),
                  [](const project::MigrationPlan& plan) { return plan.touches_agents(); });
  began_ms_ = world_.clock.steady_ms();
  running_->number = engine_.deploy(deployment);
}

void Deployer::finish(Outcome outcome) {
  const std::unique_ptr<Running> over = std::move(running_);
  world_.loop.cancel(settle_timer_);
  outcome.steps = over->steps;
  outcome.ms = world_.clock.steady_ms() - began_ms_;
  if (over->done) over->done(outcome);
}

// The migrations as soon as agents are opened by them, or when the build is settled.
Status Deployer::record(Candidate& candidate, bool settled) {
  std::vector<core::NamespaceChange> changes;
  for (std::size_t i = 0; i < candidate.plans.size(); ++i) {
    changes.push_back(change_of(candidate.projects[i], candidate.plans[i], world_.clock.wall_ms()));
  }
  if (settled && !changes.empty()) changes.back().version = candidate.version;
  if (Status changed = registry_.change_namespaces(changes); !changed) return changed;
  for (std::size_t i = 0; i < candidate.plans.size(); ++i) {
    for (std::string& line : told_steps(candidate.plans[i])) {
      report_.say(core::Level::kInfo, line);
      if (running_) running_->steps.push_back(std::move(line));
    }
    for (const core::TrashedNamespace& each : changes[i].trashed) {
      engine_.close_class(each.unique_key);
    }
    // What is done is not done again, should this candidate be served once more.
    candidate.plans[i] = {};
  }
  return {};
}

void Deployer::on_loaded(std::uint64_t number) {
  // Nothing is served yet: agents are opened by this one as soon as it is promoted.
  if (running_ && running_->number == number && !good_) static_cast<void>(begin());
}

bool Deployer::begin() {
  if (!running_) return true;
  const Status recorded = record(running_->candidate, false);
  if (!recorded) return finish({.ok = false, .message = recorded.error().message}), false;
  clear_trash();
  return true;
}

void Deployer::let_go() {
  world_.loop.cancel(settle_timer_);
}

void Deployer::take_back() {
  if (running_ && running_->switched) on_switched(running_->number);
}

void Deployer::on_load_failed(std::uint64_t number, std::string_view json) {
  if (!running_ || running_->number != number) return;
  const core::Fault fault = core::fault_from_json(json, {});
  finish({.ok = false,
          .code = "S302",
          .message = fault.message + (fault.stack.empty() ? "" : "\n" + fault.stack),
          .where = fault.where,
          .fix = fault.fix});
}

void Deployer::on_switched(std::uint64_t number) {
  clear_trash();
  if (when_back_ && number == good_number_) std::exchange(when_back_, nullptr)();
  if (!running_ || running_->number != number) return;
  running_->switched = true;
  world_.loop.cancel(settle_timer_);
  settle_timer_ = world_.loop.after(setting_.settle_ms, [this, alive = alive_] {
    if (*alive && running_) settle();
  });
}

// A host that has died is a reason to look a little longer.
bool Deployer::looks_longer() {
  if (!engine_.unsteady() || ++running_->looks > kLooksMax || setting_.settle_ms == 0) return false;
  settle_timer_ = world_.loop.after(setting_.settle_ms, [this, alive = alive_] {
    if (*alive && running_) settle();
  });
  return true;
}

void Deployer::settle() {
  if (looks_longer()) return;
  const bool again =
      good_ && !good_->version.empty() && good_->version == running_->candidate.version;
  if (const Status recorded = record(running_->candidate, true); !recorded) {
    if (good_) restore(*good_, recorded.error().message);
    return finish({.ok = false, .message = recorded.error().message});
  }
  // After a change that is not to be undone there is no way back by itself.
  const bool reversible = running_->steps.empty();
  if (!again) former_ = reversible ? std::move(good_) : std::nullopt;
  good_ = std::move(running_->candidate);
  good_number_ = running_->number;
  probation_until_ms_ = world_.clock.steady_ms() + setting_.probation_ms;
  clear_trash();
  if (!good_->version.empty()) versions_.prune();
  finish({.ok = true});
}

// While hosts of an older build may have agents of a deleted class open, their folder stays.
void Deployer::clear_trash() {
  const Status moved = core::move_trash(setting_.state, registry_);
  if (!moved) report_.say(core::Level::kError, moved.error().message);
}

// ---- the way back

void Deployer::on_failing(std::uint64_t number, std::string_view ending) {
  // The engine is on the stack.
  world_.loop.defer([this, alive = alive_, number, ending = std::string(ending)] {
    if (*alive) look_at_failing(number, ending);
  });
}

void Deployer::look_at_failing(std::uint64_t number, const std::string& ending) {
  if (running_ && running_->number == number) {
    Outcome outcome{.ok = false, .code = "S307"};
    outcome.message = "its hosts end as soon as they start; the last with: " + ending;
    const std::string version = running_->candidate.version;
    if (good_) {
      restore(*good_, "the new build's hosts end as soon as they start (" + ending + ")");
      outcome.fix = called(*good_) + " is served again.";
      when_back_ = [done = std::exchange(running_->done, nullptr), outcome] {
        if (done) done(outcome);
      };
      return finish(std::move(outcome));
    }
    // At start: what was served before the last shutdown, if that is another.
    running_->failing = true;
    const std::string before = versions_.current();
    if (before.empty() || before == version || !versions_.has(before)) return;
    auto known = candidate(before, {}, Purpose::kRollback);
    if (!known) {
      report_.say(core::Level::kError, "S307: " + outcome.message + "; version " + before +
                                           " cannot take its place: " + known.error().message);
      return;
    }
    report_.say(core::Level::kError, "S307: " + outcome.message + "; version " + before +
                                         ", the last good one, is served instead");
    auto done = std::move(running_->done);
    running_->done = nullptr;
    finish({});
    deploy(std::move(known).value(), std::move(done));
    return;
  }
  const bool on_probation = !running_ && good_ && number == good_number_ && former_ &&
                            world_.clock.steady_ms() < probation_until_ms_;
  if (!on_probation) return;
  const std::string why = called(*good_) + "'s hosts end as soon as they start (" + ending + ")";
  core::NamespaceChange change;
  change.version = former_->version;
  const Status marked = registry_.change_namespaces(change);
  if (!marked) report_.say(core::Level::kError, marked.error().message);
  good_ = std::exchange(former_, std::nullopt);
  restore(*good_, why);
}

void Deployer::restore(const Candidate& candidate, const std::string& why) {
  report_.say(core::Level::kError, "S307: " + why + ": " + called(candidate) + " is served again");
  good_number_ = engine_.deploy(candidate.deployment);
}

}  // namespace hearth::server
