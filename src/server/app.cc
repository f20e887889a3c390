#include "server/app.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "os/files.h"
#include "os/notify.h"
#include "os/port_holder.h"
#include "project/workers.h"
#include "server/banner.h"
#include "server/init_process.h"
#include "server/state_check.h"
#include "server/text.h"

namespace hearth::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t kWatchMs = 300;
// For what lasts long in a host that a deploy replaces.
constexpr std::uint32_t kPatienceMs = 10'000;
constexpr std::uint32_t kDevLoadMs = 20'000;  // somebody waits for it
constexpr std::uint32_t kBundlerAgainMs = 1'000;
// For deploys that are under way when an upgrade is asked for.
constexpr std::int64_t kDeployPatienceMs = 30'000;
constexpr std::uint32_t kLookForDeploysMs = 25;
// The whole of a shutdown, should anything in it not end.
constexpr std::uint32_t kHardStopMs = kShutdownTimeoutMs - 200;
constexpr std::uint32_t kLastWordsMs = 100;  // for the log, after that

bool coloured() {
  return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

App::App(Options options)
    : options_(std::move(options)), console_(options_.log), started_ms_(clock_.steady_ms()) {}
App::~App() = default;

int App::run() {
  ::signal(SIGPIPE, SIG_IGN);
  if (const Status opened = console_.open_file(); !opened) {
    return fail(opened.error().message), exit_code_;
  }
  descriptors_.at_start();
  if (!start()) return exit_code_ == 0 ? 1 : exit_code_;
  context_.run();
  return exit_code_;
}

bool App::start() {
  successor_ = Successor::from_environment();
  if (successor_) {
    const Status met = successor_->meet();
    if (!met) return fail(met.error().message), false;
  }
  auto companions = worker::Companions::find(os::program_path(), options_.node);
  if (!companions) return fail(companions.error().message), false;
  companions_ = std::move(companions).value();
  if (!find_projects() || !adopt()) return false;
  print(banner(read_, coloured()));
  for (const project::Project& project : read_) {
    for (const std::string& warning : project.warnings) {
      console_.say(core::Level::kWarn, warning);
    }
  }
  tell_plans();
  make_builds();
  make_engine();
  network_ = net::make_server(context_, network_options(), *engine_);
  engine_->attach(*network_);
  if (successor_) {
    engine_->hold();
  } else if (!start_network() || !start_admin()) {
    return false;
  }
  wait_for_signals();
  prepare_upgrade();
  if (!stored_version_.empty()) {
    deploy_stored();
    return exit_code_ == 0;
  }
  start_builds();
  if (dev()) watch_files();
  return true;
}

project::LoadOptions App::load_options() const {
  project::LoadOptions options;
  options.config = options_.config;
  options.others = options_.others;
  options.environment = options_.environment;
  options.vars = options_.vars;
  options.dev = dev();
  return options;
}

bool App::load_projects() {
  auto loaded = project::load_all(load_options());
  if (!loaded) return fail(loaded.error().message), false;
  read_ = std::move(loaded).value();
  for (const project::Project& each : read_) console_.hide(log::secrets_of(each.worker_json));
  return true;
}

void App::make_engine() {
  // A version that was deployed from another machine has no folder of sources here.
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::is_directory(first().root, ignored)
                                           ? first().root
                                           : std::filesystem::current_path();
  launcher_ = std::make_unique<worker::NodeLauncher>(
      context_, processes_, companions_, folder, options_.inspect,
      [this](log::LogRecord record) { console_.write(std::move(record)); },
      options_.host_memory_mb);
  launcher_->prepare();  // it starts while the worker is built
  core::EngineOptions options;
  options.mode = dev() ? core::Mode::kDev : core::Mode::kServe;
  options.state = state_;
  options.supervisor.host_count = options_.hosts;
  options.supervisor.spare = !options_.inspect;
  if (dev()) options.supervisor.load_ms_max = kDevLoadMs;
  options.supervisor.patience_ms = kPatienceMs;
  options.supervisor.hurry = dev();
  options.blocked_ms_max = hang_timeout_ms(0);
  options.answer_ms_max = options_.request_timeout_s * 1'000;
  options.quarantine_deaths = options_.quarantine_deaths;
  options.host_memory_bytes = std::uint64_t{options_.host_memory_mb} << 20;
  options.host_cpu_percent = options_.host_cpu_percent;
  options.origins = options_.origins;
  engine_ =
      std::make_unique<core::Engine>(options, engine_hooks(), os::World{clock_, loop_, processes_},
                                     *launcher_, *registry_, console_);
  make_deployer();
  ledger_writer_ = std::make_unique<core::LedgerWriter>(state_);
  ledger_ = std::make_unique<core::Ledger>(clock_, loop_, *ledger_writer_);
  engine_->attach(*ledger_);
}

// Whoever allows a turn so much CPU time allows it as much of the clock.
std::uint32_t App::hang_timeout_ms(std::uint32_t cpu_ms) const {
  if (options_.inspect) return 0;  // it stands still at breakpoints
  if (options_.hang_timeout_s) return *options_.hang_timeout_s * 1'000;
  return std::max(dev() ? 5'000U : 30'000U, cpu_ms);
}

net::ServerOptions App::network_options() {
  net::ServerOptions options;
  options.address = !options_.ip.empty()      ? options_.ip
                    : !first().dev_ip.empty() ? first().dev_ip
                                              : options.address;
  options.port = options_.port.value_or(first().dev_port.value_or(options.port));
  options.fault_body = core::request_fault_body;
  options.request_body_bytes_max = options_.body_bytes_max;
  options.ping_interval_ms = options_.ping_s * 1'000;
  options.descriptors_for_clients = descriptors_.for_clients();
  options.on_accepting = [this](int error) {
    descriptors_.on_accepting(error, network_->counters().connections_open);
  };
  return options;
}

bool App::start_network() {
  const net::ServerOptions options = network_options();
  const Status started = network_->start();
  listening_ = started.ok();
  if (listening_) return true;
  if (started.error().code == ErrorCode::kConflict) {
    const std::string holder = os::port_holder(options.port);
    fail("S301: port " + std::to_string(options.port) + " of " + options.address + " is in use" +
         (holder.empty() ? "" : " by " + holder) + "; give another with --port, or 0 for any");
  } else {
    fail(started.error().message);
  }
  return false;
}

// ---- another process's place, and this one's for another

void App::take_over_when_warm() {
  successor_->ready(
      {context_, *engine_, *network_, *registry_, console_, clock_, state_},
      [this] {
        listening_ = true;
        if (deployer_->begin()) static_cast<void>(start_admin());
      },
      [this](const std::string& why) { fail(why); });
}

void App::prepare_upgrade() {
  upgrade_ = std::make_unique<Upgrade>(
      UpgradeParts{context_, os::World{clock_, loop_, processes_}, *engine_, *registry_, *network_,
                   console_, state_, options_.command_line,
                   [this] { deployer_->let_go(), tail_.reset(), admin_.reset(); },
                   [this] { deployer_->take_back(), static_cast<void>(start_admin()); }},
      [this] {
        stopping_ = true;
        loop_.cancel(watch_timer_);
        if (::getpid() == 1) prepare_to_stay();
        // Those that are only closing.
        network_->stop(1012, "hearth was upgraded", kShutdownTimeoutMs,
                       [this] { context_.stop(); });
      });
  upgrade_signal_.add(SIGUSR2);
  await_upgrade_signal();
}

void App::await_upgrade_signal() {
  upgrade_signal_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    if (upgrade_->done()) {
      upgrade_->pass_on(SIGUSR2);
    } else if (stopping_ || !serving_) {
      console_.say(core::Level::kWarn, "an upgrade was asked for, but nothing is served here yet");
    } else if (options_.inspect) {
      console_.say(core::Level::kWarn, "no upgrade with --inspect: the debugger's port is taken");
    } else if (upgrade_asked_ms_ < 0) {
      upgrade_asked_ms_ = clock_.steady_ms();
      if (deploy_api_->at_work()) {
        console_.say(core::Level::kInfo, "the upgrade waits for a deploy that is under way");
      }
      upgrade_after_deploys();
    }
    await_upgrade_signal();
  });
}

// A build that is being put into service is settled first: the other process is to serve it, and
// who deploys it is to hear how that went. Not for longer than a moment, should it never end.
void App::upgrade_after_deploys() {
  if (stopping_) return;
  const bool patient = clock_.steady_ms() - upgrade_asked_ms_ < kDeployPatienceMs;
  if (deploy_api_->at_work() && patient) {
    loop_.after(kLookForDeploysMs, [this] { upgrade_after_deploys(); });
    return;
  }
  upgrade_asked_ms_ = -1;
  upgrade_->begin();
}

// ---- build and deploy

void App::make_builds() {
  for (project::Project& project : read_) {
    const bool is_first = builds_.empty();
    worker::WorkerBuild::Setting setting{context_, processes_, companions_, console_};
    setting.folder = is_first ? state_ / "bundle" : state_ / "bundle" / project.name;
    setting.dev = dev();
    setting.first = is_first;
    const std::size_t number = builds_.size();
    worker::WorkerBuild::Hooks hooks;
    hooks.on_built = [this] { deploy(); };
    hooks.on_broken = [this, number](const worker::BuildReport& report) {
      on_broken(builds_[number]->project(), report);
    };
    hooks.on_end = [this, number](const std::string& ending) {
      on_bundler_end(*builds_[number], ending);
    };
    builds_.push_back(std::make_unique<worker::WorkerBuild>(std::move(project), std::move(setting),
                                                            std::move(hooks)));
  }
  read_.clear();
}

void App::start_builds() {
  for (const auto& build : builds_) {
    const Status started = build->start();
    if (!started) return fail(started.error().message);
  }
}

void App::on_broken(const project::Project& project, const worker::BuildReport& report) {
  const std::string whose = builds_.size() == 1 ? "" : " of " + project.name;
  console_.say(core::Level::kError, "the build" + whose + " is broken" +
                                        (serving_ ? "; the last good one goes on" : "") + "\n" +
                                        report.errors);
  if (coming()) return fail("the build" + whose + " is broken\n" + report.errors);
  if (!dev()) return fail("nothing to serve");
  tell_listening();
  build_error_ = report.errors;
  engine_->set_build_fault(report.fault);
}

// There is nothing to serve yet: who asks gets the fault until it is mended.
void App::tell_listening() {
  if (serving_ || std::exchange(told_listening_, true)) return;
  print("  listening on http://" + address() + ":" + std::to_string(network_->port()) +
        "; whoever asks gets the finding until it is mended\n");
}

std::string App::address() const {
  const std::string& of_project = first().dev_ip;
  const std::string address =
      options_.ip.empty() ? (of_project.empty() ? "127.0.0.1" : of_project) : options_.ip;
  return address.find(':') != std::string::npos ? "[" + address + "]" : address;
}

void App::on_bundler_end(worker::WorkerBuild& build, const std::string& ending) {
  if (stopping_) return;
  if (!dev()) {
    if (build.bundle().empty() && exit_code_ == 0) {
      fail("the bundler ended with " + ending);
    }
    return;
  }
  console_.say(core::Level::kError, "the bundler ended with " + ending + "; it is started again");
  loop_.after(kBundlerAgainMs, [this, &build] {
    if (stopping_) return;
    const Status started = build.start();
    if (!started) fail(started.error().message);
  });
}

void App::on_serving() {
  serving_ = true;
  os::notify_manager("READY=1\nMAINPID=" + std::to_string(::getpid()));
  const std::size_t overdue = engine_->overdue_alarms();
  if (overdue > 0) {
    print("  " + std::to_string(overdue) +
          (overdue == 1 ? " alarm is overdue and fires now\n"
                        : " alarms are overdue and fire now\n"));
  }
  const std::string ready = "ready on http://" + address() + ":" +
                            std::to_string(network_->port()) + " in " +
                            duration_text(clock_.steady_ms() - started_ms_);
  print("  " + ready + "\n");
  console_.write({.wall_ms = clock_.wall_ms(), .message = ready, .announced = true});
  tell_admin();
}

void App::tell_plans() {
  for (const project::MigrationPlan& plan : plans_) {
    for (const std::string& warning : plan.warnings) console_.say(core::Level::kWarn, warning);
  }
}

void App::on_loaded(std::string_view json) {
  deployed_wall_ms_ = clock_.wall_ms();
  ++deploys_;
  build_error_.clear();
  if (serving_) {
    console_.say(core::Level::kInfo,
                 "reloaded in " + duration_text(clock_.steady_ms() - deployer_->began_ms()));
  }
  auto loaded = nlohmann::json::parse(json, nullptr, false);
  if (!loaded.is_object() || !loaded.contains("handlers")) return;
  const auto others = loaded.value("workers", nlohmann::json::array());
  for (std::size_t i = 0; i < others.size() && i + 1 < builds_.size(); ++i) {
    builds_[i + 1]->loaded(others[i]);
  }
  builds_.front()->loaded(std::move(loaded));
}

void App::on_load_failed(std::string_view json) {
  console_.say(core::Level::kError, "the code did not load" +
                                        std::string(serving_ ? "; the last good one goes on" : "") +
                                        ": " + log::log_line(json));
  if (coming()) return fail("the code did not load: " + log::log_line(json));
  if (!dev() && !serving_) return fail("nothing to serve");
  if (dev()) tell_listening();
}

// ---- watching the configuration (the bundler watches the sources)

void App::watch_files() {
  watched_.clear();
  for (const auto& build : builds_) {
    for (const auto& path : build->project().files) {
      watched_.push_back({path, os::modified_ms(path)});
    }
  }
  loop_.cancel(watch_timer_);
  watch_timer_ = loop_.after(kWatchMs, [this] { look_at_files(); });
}

void App::look_at_files() {
  if (stopping_) return;
  const bool changed = std::any_of(watched_.begin(), watched_.end(), [](const WatchedFile& file) {
    return os::modified_ms(file.path) != file.modified_ms;
  });
  if (changed) reload_projects();
  watch_files();
}

void App::reload_projects() {
  auto loaded = project::load_all(load_options());
  if (!loaded) {
    return console_.say(core::Level::kError,
                        "the configuration is broken; the last good one goes "
                        "on\n  " +
                            loaded.error().message);
  }
  for (std::size_t i = 0; i < builds_.size(); ++i) {
    if ((*loaded)[i].name == builds_[i]->project().name) continue;
    return console_.say(core::Level::kWarn,
                        "the worker was renamed: restart hearth, for its agents are kept by name");
  }
  auto plans = plan_migrations(*loaded);
  if (!plans) return console_.say(core::Level::kError, plans.error().message);
  plans_ = std::move(plans).value();
  tell_plans();
  console_.say(core::Level::kInfo, "the configuration changed");
  for (const project::Project& each : *loaded) console_.hide(log::secrets_of(each.worker_json));
  for (std::size_t i = 0; i < builds_.size(); ++i) {
    const Status changed = builds_[i]->change(std::move((*loaded)[i]));
    if (!changed) return fail(changed.error().message);
  }
}

// ---- the end

void App::wait_for_signals() {
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  await_end_signal();
}

void App::await_end_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (upgrade_ && upgrade_->done()) {
      upgrade_->pass_on(signal);
      return await_end_signal();
    }
    // The second time, at once.
    signals_.async_wait([](const boost::system::error_code& again, int) {
      if (!again) ::_exit(130);
    });
    stop();
  });
}

void App::stop() {
  if (std::exchange(stopping_, true)) return;
  if (coming()) return context_.stop();
  os::notify_manager("STOPPING=1");
  if (upgrade_) upgrade_->cancel();
  loop_.cancel(watch_timer_);
  console_.say(core::Level::kInfo, "shutting down");
  loop_.after(kHardStopMs, [this] {
    console_.say(core::Level::kWarn, "the shutdown took too long and was cut");
    registry_.reset();
    console_.flush(kLastWordsMs);
    ::_exit(exit_code_);
  });
  if (admin_) admin_->stop();
  engine_->stop([this] { context_.stop(); });
}

void App::fail(const std::string& message) {
  exit_code_ = 1;
  if (!message.empty()) console_.say(core::Level::kError, message);
  if (coming()) {
    successor_->refuse(message);
    return context_.stop();
  }
  if (listening_) stop();
}

}  // namespace hearth::server
