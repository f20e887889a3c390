// The program: reads the projects, has them built, starts the network and the core, and in `dev`
// follows the sources and the configurations. Everything else is made here and nothing is global.
// One thread, the event loop's; `run` returns when all of it has ended.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/server.h"
#include "core/engine.h"
#include "core/ledger_writer.h"
#include "core/registry.h"
#include "log/console.h"
#include "net/server.h"
#include "os/asio_world.h"
#include "project/project.h"
#include "server/deploy_api.h"
#include "server/deployer.h"
#include "server/descriptor_watch.h"
#include "server/health.h"
#include "server/options.h"
#include "server/rehearse_api.h"
#include "server/state_check.h"
#include "server/successor.h"
#include "server/tail.h"
#include "server/upgrade.h"
#include "worker/build.h"
#include "worker/node_launcher.h"
#include "worker/versions.h"

namespace hearth::server {

class App {
 public:
  explicit App(Options options);
  ~App();
  // The process's exit code.
  int run();
  // Another process serves in this one's place.
  bool handed_over() const { return upgrade_ && upgrade_->done(); }
  const std::filesystem::path& state() const { return state_; }

 private:
  struct WatchedFile {
    std::filesystem::path path;
    std::int64_t modified_ms = -1;
  };

  bool start();
  bool load_projects();
  // ---- app_deploy.cc
  bool open_state(const std::filesystem::path& path);
  bool find_projects();
  bool was_deployed(const std::string& version) const;
  bool read_stored();
  Result<std::vector<project::MigrationPlan>> plan_migrations(
      std::vector<project::Project>& projects);
  bool adopt();
  core::EngineHooks engine_hooks();
  void make_deployer();
  core::Deployment compose(const std::vector<project::Project>& projects) const;
  std::string keep_builds();
  void deploy();
  void deploy_stored();
  void deployed(const Outcome& outcome);

  bool start_network();
  bool start_admin();  // app_admin.cc
  void tell_admin();
  void observe();  // app_observe.cc
  ServerHealth health() const;
  // Of the worker with that number, as JSON.
  std::string environment(std::size_t number) const;
  net::ServerOptions network_options();
  void take_over_when_warm();
  void prepare_upgrade();
  void await_upgrade_signal();
  void upgrade_after_deploys();
  void make_engine();
  void make_builds();
  void start_builds();
  void on_broken(const project::Project& project, const worker::BuildReport& report);
  void on_bundler_end(worker::WorkerBuild& build, const std::string& ending);
  const project::Project& first() const { return builds_.front()->project(); }
  void on_serving();
  void tell_listening();
  std::string address() const;
  void on_loaded(std::string_view json);
  void on_load_failed(std::string_view json);
  void tell_plans();

  void watch_files();
  void look_at_files();
  void reload_projects();

  void wait_for_signals();
  void await_end_signal();
  void stop();
  void fail(const std::string& message);
  // Another process still serves, and this one is to take its place.
  bool coming() const { return successor_ && !successor_->taken_over(); }
  bool dev() const { return options_.command == Command::kDev; }
  project::LoadOptions load_options() const;
  std::uint32_t hang_timeout_ms(std::uint32_t cpu_ms) const;

  const Options options_;
  boost::asio::io_context context_{1};
  os::SystemClock clock_;
  os::AsioLoop loop_{context_};
  os::SystemProcesses processes_{context_};
  boost::asio::signal_set signals_{context_};
  boost::asio::signal_set upgrade_signal_{context_};
  log::Console console_;
  DescriptorWatch descriptors_{clock_, console_};
  const std::int64_t started_ms_;
  worker::Companions companions_;
  std::vector<project::Project> read_;  // until there are builds of them
  std::vector<std::unique_ptr<worker::WorkerBuild>>
      builds_;  // of each worker; the first gets the requests
  std::filesystem::path state_;
  std::unique_ptr<core::Registry> registry_;
  std::unique_ptr<worker::VersionStore> versions_;
  std::vector<project::MigrationPlan> plans_;  // of each worker against what is stored
  std::string stored_version_;                 // that is served from the start; empty: builds
  std::map<std::string, std::string> beside_;  // secrets of the configuration beside this server
  std::unique_ptr<core::LedgerWriter> ledger_writer_;
  std::unique_ptr<core::Ledger> ledger_;
  std::unique_ptr<worker::NodeLauncher> launcher_;
  std::unique_ptr<core::Engine> engine_;
  std::unique_ptr<Deployer> deployer_;
  std::unique_ptr<net::Server> network_;
  std::unique_ptr<DeployApi> deploy_api_;
  std::unique_ptr<RehearseApi> rehearse_api_;
  std::unique_ptr<Tail> tail_;
  std::unique_ptr<admin::Server> admin_;
  std::unique_ptr<Successor> successor_;  // while this process takes another's place, and after
  std::unique_ptr<Upgrade> upgrade_;
  std::int64_t upgrade_asked_ms_ = -1;  // and a deploy goes before it; -1: none waits
  std::int64_t deployed_wall_ms_ = 0;
  std::uint64_t deploys_ = 0;
  std::string build_error_;  // of the last build, unless it was served
  std::vector<WatchedFile> watched_;
  os::TimerId watch_timer_;
  bool listening_ = false;
  bool serving_ = false;
  bool told_listening_ = false;
  bool stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace hearth::server
