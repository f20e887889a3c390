// Puts one build of the code after another into service. A new one is loaded by fresh hosts while
// the former goes on; what is wrong with it by then changes nothing. Then the agents move to it,
// and when it has lived for a moment it is settled: its migrations are recorded and its version is
// the current one, in one transaction. If its hosts die one after the other before that, or soon
// after it, the former one takes its place again, which is said loudly. One at a time. Loop thread;
// owned by the App, which hands the engine's hooks on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "core/registry.h"
#include "core/report.h"
#include "os/world.h"
#include "project/migration_plan.h"
#include "project/project.h"
#include "server/state_check.h"
#include "worker/versions.h"

namespace hearth::server {

// A build that may be served, with what it asks of the stored state.
struct Candidate {
  std::vector<project::Project> projects;  // of each worker; their unique keys are set
  std::vector<project::MigrationPlan> plans;
  core::Deployment deployment;
  std::string version;  // its id; empty: none is kept of it
};

// How it went, for whoever asked.
struct Outcome {
  bool ok = false;
  bool superseded = false;  // a newer build took its place
  std::string code{};       // of the catalogue, of what failed
  std::string message{};
  std::string where{};
  std::string fix{};
  std::vector<std::string> steps{};  // of migrations that concerned agents
  std::int64_t ms = 0;
};

class Deployer {
 public:
  struct Setting {
    std::filesystem::path state;
    std::uint32_t settle_ms = 1'000;      // 0: at once
    std::uint32_t probation_ms = 60'000;  // for a crash loop after that
  };
  // How a project becomes what the engine serves.
  using Compose = std::function<core::Deployment(const std::vector<project::Project>&)>;
  using Done = std::function<void(const Outcome&)>;

  Deployer(Setting setting, core::Engine& engine, core::Registry& registry,
           worker::VersionStore& versions, core::Report& report, const os::World& world,
           Compose compose);
  ~Deployer();

  // On the steady clock; the last deploy's, 0 before the first.
  std::int64_t began_ms() const { return began_ms_; }
  // A build is on its way, and has not failed for want of another to go back to.
  bool busy() const;
  // Takes the place of one that is not settled yet, whose `done` is told so.
  void deploy(Candidate candidate, Done done);
  // A version that is kept, compared with the stored state. kConflict: S304, S306.
  enum class Purpose { kDeploy, kRollback };
  Result<Candidate> candidate(const std::string& version, const std::vector<std::string>& confirmed,
                              Purpose purpose);
  // The same of what is unpacked in `folder` and not kept as a version; `given`: secrets that came
  // with it.
  Result<Candidate> candidate_of(const nlohmann::ordered_json& manifest,
                                 const std::filesystem::path& folder,
                                 const std::map<std::string, std::string>& given,
                                 const std::vector<std::string>& confirmed, Purpose purpose);
  // Secrets that versions name and that were not given with a deploy.
  void set_secrets(std::map<std::string, std::string> secrets) { secrets_ = std::move(secrets); }
  // Names of secrets that the last candidate() found nowhere.
  const std::vector<std::string>& missing_secrets() const { return missing_secrets_; }

  // ---- the engine's hooks
  void on_loaded(std::uint64_t number);
  void on_load_failed(std::uint64_t number, std::string_view json);
  void on_switched(std::uint64_t number);
  // What was deployed first is served from now on (by on_loaded, or when another's place is taken):
  // its migrations are recorded. False: that failed, and was told.
  bool begin();
  // The state directory is another process's for a while.
  void let_go();
  void take_back();
  void on_failing(std::uint64_t number, std::string_view ending);

 private:
  struct Running;

  void give_secrets(project::Project& project, const std::map<std::string, std::string>& all);
  Status has_all_workers(const std::vector<project::Project>& projects) const;
  void settle();
  bool looks_longer();
  void finish(Outcome outcome);
  Status record(Candidate& candidate, bool settled);
  void restore(const Candidate& candidate, const std::string& why);
  void look_at_failing(std::uint64_t number, const std::string& ending);
  void clear_trash();

  const Setting setting_;
  core::Engine& engine_;
  core::Registry& registry_;
  worker::VersionStore& versions_;
  core::Report& report_;
  const os::World world_;
  const Compose compose_;
  std::map<std::string, std::string> secrets_;
  std::vector<std::string> missing_secrets_;
  std::unique_ptr<Running> running_;
  std::optional<Candidate> good_;    // settled, and served unless running_ is
  std::optional<Candidate> former_;  // settled before it, while it is on probation
  std::uint64_t good_number_ = 0;
  std::int64_t began_ms_ = 0;
  std::function<void()> when_back_;  // the former build serves again: who asked is told
  std::int64_t probation_until_ms_ = 0;
  os::TimerId settle_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hearth::server
