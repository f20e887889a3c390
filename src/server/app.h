// The program: reads the project, builds it, starts the network and the core, and in `dev` follows
// the sources and the configuration. Everything else is made here and nothing is global. One
// thread, the event loop's; `run` returns when all of it has ended.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "admin/server.h"
#include "core/engine.h"
#include "core/registry.h"
#include "net/server.h"
#include "os/asio_world.h"
#include "project/project.h"
#include "server/bundler.h"
#include "server/code_checks.h"
#include "server/console.h"
#include "server/node_launcher.h"
#include "server/options.h"
#include "server/state_check.h"

namespace hearth::server {

class App {
 public:
  explicit App(Options options);
  ~App();
  // The process's exit code.
  int run();

 private:
  struct WatchedFile {
    std::filesystem::path path;
    std::int64_t modified_ms = -1;
  };

  bool start();
  bool load_project();
  bool start_network();
  bool start_admin();  // app_admin.cc
  void tell_admin();
  void make_engine();
  void start_bundler();
  void on_report(std::string_view line);
  void consider(BuildReport& report);
  void on_bundler_end(os::ExitStatus status);
  bool exports_all_classes(BuildReport& report) const;
  void deploy(const std::string& bundle);
  std::string worker_document(const std::string& bundle) const;
  void on_serving();
  void tell_listening();
  std::string address() const;
  void on_loaded(std::uint64_t deployment, std::string_view json);
  void on_load_failed(std::string_view json);
  bool record_migrations(std::uint64_t deployment);
  void clear_trash();
  void tell_findings();

  void watch_files();
  void look_at_files();
  void reload_project();

  void wait_for_signals();
  void stop();
  void fail(const std::string& message);
  bool dev() const { return options_.command == Command::kDev; }
  project::LoadOptions load_options() const;
  StateRules state_rules() const;
  std::uint32_t hang_timeout_ms() const;

  const Options options_;
  boost::asio::io_context context_{1};
  os::SystemClock clock_;
  os::AsioLoop loop_{context_};
  os::SystemProcesses processes_{context_};
  boost::asio::signal_set signals_{context_};
  Console console_;
  const std::int64_t started_ms_;
  Companions companions_;
  project::Project project_;
  std::filesystem::path state_;
  std::unique_ptr<core::Registry> registry_;
  project::MigrationPlan plan_;   // of project_ against what is stored
  std::uint64_t deployment_ = 0;  // the engine's number of what was deployed last
  std::unique_ptr<NodeLauncher> launcher_;
  std::unique_ptr<core::Engine> engine_;
  std::unique_ptr<net::Server> network_;
  std::unique_ptr<admin::Server> admin_;
  std::unique_ptr<Bundler> bundler_;
  std::unique_ptr<Bundler> last_bundler_;  // kept while one of its events runs
  std::string bundle_;                     // the last that was built
  std::optional<BuildReport> built_;       // the last that bundled, served or not
  CodeFacts facts_;                        // of the last good build
  std::set<std::string> told_;             // findings of the last change, so that each is told once
  std::int64_t deployed_ms_ = 0;
  std::vector<WatchedFile> watched_;
  os::TimerId watch_timer_;
  bool listening_ = false;
  bool serving_ = false;
  bool told_listening_ = false;
  bool stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace hearth::server
