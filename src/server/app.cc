#include "server/app.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/trash.h"
#include "os/files.h"
#include "os/port_holder.h"
#include "server/banner.h"
#include "server/state_check.h"

namespace hearth::server {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t kWatchMs = 300;
// The whole of a shutdown, should anything in it not end.
constexpr std::uint32_t kHardStopMs = kShutdownTimeoutMs - 200;

bool coloured() {
  return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// As findings say it: relative to the project.
std::string place_in_config(const project::Project& project, project::Position at) {
  std::string place = project.config_path.filename().string();
  if (at.line > 0) place += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  return place;
}

}  // namespace

App::App(Options options) : options_(std::move(options)), started_ms_(clock_.steady_ms()) {}
App::~App() = default;

int App::run() {
  ::signal(SIGPIPE, SIG_IGN);
  os::raise_descriptor_limit();
  if (!start()) return exit_code_ == 0 ? 1 : exit_code_;
  context_.run();
  return exit_code_;
}

bool App::start() {
  auto companions = Companions::find(os::program_path(), options_.node);
  if (!companions) return fail(companions.error().message), false;
  companions_ = std::move(companions).value();
  if (!load_project()) return false;
  state_ =
      std::filesystem::absolute(options_.state.empty() ? project_.root / ".hearth" : options_.state)
          .lexically_normal();
  auto registry = core::Registry::open(state_, loop_);
  if (!registry) return fail(registry.error().message), false;
  registry_ = std::move(registry).value();
  if (const Status moved = core::move_trash(state_, *registry_); !moved) {
    return fail(moved.error().message), false;
  }
  auto plan = adopt_state(project_, state_, *registry_, state_rules());
  if (!plan) {
    registry_->close();  // nothing was opened
    return fail(plan.error().message), false;
  }
  plan_ = std::move(plan).value();

  print(banner(project_, coloured()));
  for (const std::string& warning : project_.warnings) {
    console_.say(core::Level::kWarn, warning);
  }
  for (const std::string& warning : plan_.warnings) console_.say(core::Level::kWarn, warning);
  make_engine();
  if (!start_network() || !start_admin()) return false;
  wait_for_signals();
  start_bundler();
  if (dev()) watch_files();
  return true;
}

project::LoadOptions App::load_options() const {
  project::LoadOptions options;
  options.config = options_.config;
  options.environment = options_.environment;
  options.vars = options_.vars;
  options.dev = dev();
  return options;
}

bool App::load_project() {
  auto loaded = project::load(load_options());
  if (!loaded) return fail(loaded.error().message), false;
  project_ = std::move(loaded).value();
  return true;
}

void App::make_engine() {
  launcher_ = std::make_unique<NodeLauncher>(context_, processes_, companions_, project_.root,
                                             options_.inspect);
  core::EngineOptions options;
  options.mode = dev() ? core::Mode::kDev : core::Mode::kServe;
  options.state = state_;
  options.supervisor.host_count = options_.hosts;
  options.supervisor.spare = !options_.inspect;
  options.blocked_ms_max = hang_timeout_ms();
  options.answer_ms_max = options_.request_timeout_s * 1'000;
  options.quarantine_deaths = options_.quarantine_deaths;
  options.origins = options_.origins;
  core::EngineHooks hooks;
  hooks.on_serving = [this] { on_serving(); };
  hooks.on_loaded = [this](std::uint64_t deployment, std::string_view json) {
    on_loaded(deployment, json);
  };
  hooks.on_load_failed = [this](std::uint64_t, std::string_view json) { on_load_failed(json); };
  hooks.on_switched = [this](std::uint64_t) { clear_trash(); };
  engine_ = std::make_unique<core::Engine>(options, hooks, os::World{clock_, loop_, processes_},
                                           *launcher_, *registry_, console_);
}

std::uint32_t App::hang_timeout_ms() const {
  if (options_.inspect) return 0;  // it stands still at breakpoints
  return options_.hang_timeout_s.value_or(dev() ? 5 : 30) * 1'000;
}

bool App::start_network() {
  net::ServerOptions options;
  options.address = !options_.ip.empty()       ? options_.ip
                    : !project_.dev_ip.empty() ? project_.dev_ip
                                               : options.address;
  options.port = options_.port.value_or(project_.dev_port.value_or(options.port));
  options.request_body_bytes_max = options_.body_bytes_max;
  options.ping_interval_ms = options_.ping_s * 1'000;
  network_ = net::make_server(context_, options, *engine_);
  engine_->attach(*network_);
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

// ---- build and deploy

void App::start_bundler() {
  Json job = Json::parse(project_.bundle_job_json);
  job["outdir"] = (state_ / "bundle").string();
  job["watch"] = dev();
  job["scan"] = dev();
  last_bundler_ = std::move(bundler_);
  bundler_ = std::make_unique<Bundler>(
      context_, processes_, companions_, [this](std::string_view line) { on_report(line); },
      [this](os::ExitStatus status) { on_bundler_end(status); });
  const Status started = bundler_->start(job.dump());
  if (!started) fail("the bundler could not be started: " + started.error().message);
}

void App::on_report(std::string_view line) {
  auto read = read_report(line);
  if (!read) return console_.say(core::Level::kWarn, read.error().message);
  BuildReport& report = *read;
  for (const std::string& warning : report.warnings) console_.say(core::Level::kWarn, warning);
  if (report.ok) built_ = report;
  if (report.ok) facts_ = facts_of_report(line);
  if (report.ok && report.unchanged && serving_) return;
  consider(report);
}

// Serves a build, if it is whole; with none that is, clients get its fault.
void App::consider(BuildReport& report) {
  if (report.ok && exports_all_classes(report)) {
    bundle_ = report.bundle;
    return deploy(report.bundle);
  }
  console_.say(core::Level::kError, "the build is broken" +
                                        std::string(serving_ ? "; the last good one goes on" : "") +
                                        "\n" + report.errors);
  if (!dev()) return fail("nothing to serve");
  tell_listening();
  engine_->set_build_fault(report.fault);
}

// There is nothing to serve yet: who asks gets the fault until it is mended.
void App::tell_listening() {
  if (serving_ || std::exchange(told_listening_, true)) return;
  print("  listening on http://" + address() + ":" + std::to_string(network_->port()) +
        "; whoever asks gets the finding until it is mended\n");
}

std::string App::address() const {
  const std::string address =
      options_.ip.empty() ? (project_.dev_ip.empty() ? "127.0.0.1" : project_.dev_ip) : options_.ip;
  return address.find(':') != std::string::npos ? "[" + address + "]" : address;
}

// B204: a bound class that main does not export would fail at its first use.
bool App::exports_all_classes(BuildReport& report) const {
  if (!report.exports_known) return true;
  for (const project::Finding& each : check_exports(project_, facts_)) {
    if (each.code != "B204") continue;
    const std::string diff = project::diff_of(each.edits, project_.root);
    report.fault = {.code = each.code,
                    .status = 503,
                    .message = each.message,
                    .where = place_in_config(project_, each.at),
                    .fix = diff.empty() ? "Export the class from the file that main names." : diff};
    report.errors = "  B204: " + report.fault.message + "\n" + report.fault.fix;
    return false;
  }
  return true;
}

std::string App::worker_document(const std::string& bundle) const {
  Json document = Json::parse(project_.worker_json);
  document["bundle"] = bundle;
  document["state"] = state_.string();
  document["root"] = project_.root.string();
  document["durability"] = options_.durability;
  document["hangTimeoutMs"] = hang_timeout_ms();
  Json& namespaces = document["namespaces"];
  for (std::size_t i = 0; i < namespaces.size() && i < project_.namespaces.size(); ++i) {
    namespaces[i]["uniqueKey"] = project_.namespaces[i].unique_key;
  }
  return document.dump();
}

void App::deploy(const std::string& bundle) {
  core::Deployment deployment;
  deployment.worker_json = worker_document(bundle);
  for (const auto& each : project_.namespaces) {
    deployment.namespaces.push_back({each.class_name, each.unique_key});
  }
  for (const auto& each : project_.bindings) {
    deployment.routes.push_back({each.url_segment, each.name, each.name_space,
                                 place_in_config(project_, each.name_at), each.class_name});
  }
  deployment.crons = project_.crons;
  deployed_ms_ = clock_.steady_ms();
  deployment_ = engine_->deploy(std::move(deployment));
}

void App::on_bundler_end(os::ExitStatus status) {
  if (stopping_) return;
  if (!dev()) {
    if (bundle_.empty() && exit_code_ == 0) fail("the bundler ended with " + status.describe());
    return;
  }
  fail("the bundler ended with " + status.describe() + "; changes would not be seen");
}

void App::on_serving() {
  serving_ = true;
  const std::size_t overdue = engine_->overdue_alarms();
  if (overdue > 0) {
    print("  " + std::to_string(overdue) +
          (overdue == 1 ? " alarm is overdue and fires now\n"
                        : " alarms are overdue and fire now\n"));
  }
  print("  ready on http://" + address() + ":" + std::to_string(network_->port()) + " in " +
        duration_text(clock_.steady_ms() - started_ms_) + "\n");
  tell_admin();
}

StateRules App::state_rules() const {
  return {.workers = {}, .confirmed = options_.yes_delete, .tolerates_missing_tags = dev()};
}

// The code has loaded and no agent is open by it: what its migrations ask of the state is done now.
bool App::record_migrations(std::uint64_t deployment) {
  if (deployment != deployment_) return true;
  const Status changed = registry_->change_namespaces(change_of(project_, plan_, clock_.wall_ms()));
  if (!changed) return fail(changed.error().message), false;
  for (const std::string& line : told_steps(plan_)) console_.say(core::Level::kInfo, line);
  plan_ = {};
  if (!serving_) clear_trash();
  return true;
}

// While hosts of an older build may have agents of a deleted class open, their folder stays.
void App::clear_trash() {
  const Status moved = core::move_trash(state_, *registry_);
  if (!moved) console_.say(core::Level::kError, moved.error().message);
}

void App::on_loaded(std::uint64_t deployment, std::string_view json) {
  if (!record_migrations(deployment)) return;
  if (serving_) {
    console_.say(core::Level::kInfo,
                 "reloaded in " + duration_text(clock_.steady_ms() - deployed_ms_));
  }
  const Json loaded = Json::parse(json, nullptr, false);
  if (!loaded.is_object() || !loaded.contains("handlers")) return;
  facts_.ready = loaded;
  if (dev()) tell_findings();
  const auto& handlers = loaded["handlers"];
  const bool scheduled =
      std::find(handlers.begin(), handlers.end(), Json("scheduled")) != handlers.end();
  if (!project_.crons.empty() && !scheduled) {
    console_.say(core::Level::kWarn,
                 "the configuration has cron triggers, but the worker's default export has no "
                 "scheduled handler");
  }
}

// The checks of the code that `hearth doctor` makes; each finding is told when it is new.
void App::tell_findings() {
  std::set<std::string> found;
  std::vector<project::Finding> all = check_exports(project_, facts_);
  for (project::Finding& each : check_code(project_, facts_)) all.push_back(std::move(each));
  for (const project::Finding& each : all) {
    const std::string text = project::sentence(each);
    found.insert(text);
    if (told_.contains(text)) continue;
    const std::string diff = project::diff_of(each.edits, project_.root);
    console_.say(core::Level::kWarn, text + (diff.empty() ? "" : "\n" + diff));
  }
  told_ = std::move(found);
}

void App::on_load_failed(std::string_view json) {
  console_.say(core::Level::kError, "the code did not load" +
                                        std::string(serving_ ? "; the last good one goes on" : "") +
                                        ": " + log_line(json));
  if (!dev() && !serving_) return fail("nothing to serve");
  if (dev()) tell_listening();
}

// ---- watching the configuration (the bundler watches the sources)

void App::watch_files() {
  watched_.clear();
  for (const auto& path : project_.files) watched_.push_back({path, os::modified_ms(path)});
  loop_.cancel(watch_timer_);
  watch_timer_ = loop_.after(kWatchMs, [this] { look_at_files(); });
}

void App::look_at_files() {
  if (stopping_) return;
  const bool changed = std::any_of(watched_.begin(), watched_.end(), [](const WatchedFile& file) {
    return os::modified_ms(file.path) != file.modified_ms;
  });
  if (changed) reload_project();
  watch_files();
}

void App::reload_project() {
  auto loaded = project::load(load_options());
  if (loaded && loaded->name != project_.name) {
    return console_.say(core::Level::kWarn,
                        "the worker was renamed: restart hearth, for its agents are kept by name");
  }
  if (loaded) {
    auto plan = adopt_state(*loaded, state_, *registry_, state_rules());
    if (!plan) return console_.say(core::Level::kError, plan.error().message);
    for (const std::string& each : plan->warnings) console_.say(core::Level::kWarn, each);
    plan_ = std::move(plan).value();
  } else {
    return console_.say(core::Level::kError,
                        "the configuration is broken; the last good one goes "
                        "on\n  " +
                            loaded.error().message);
  }
  console_.say(core::Level::kInfo, "the configuration changed");
  const bool same_job = loaded->bundle_job_json == project_.bundle_job_json;
  project_ = std::move(loaded).value();
  for (const std::string& warning : project_.warnings) {
    console_.say(core::Level::kWarn, warning);
  }
  if (!same_job) return start_bundler();
  // The same bundle may be whole with this configuration, or no longer be.
  if (built_) consider(*built_);
}

// ---- the end

void App::wait_for_signals() {
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    // The second time, at once.
    signals_.async_wait([](const boost::system::error_code& again, int) {
      if (!again) ::_exit(130);
    });
    stop();
  });
}

void App::stop() {
  if (std::exchange(stopping_, true)) return;
  loop_.cancel(watch_timer_);
  console_.say(core::Level::kInfo, "shutting down");
  loop_.after(kHardStopMs, [this] {
    console_.say(core::Level::kWarn, "the shutdown took too long and was cut");
    registry_.reset();
    ::_exit(exit_code_);
  });
  if (admin_) admin_->stop();
  engine_->stop([this] { context_.stop(); });
}

void App::fail(const std::string& message) {
  exit_code_ = 1;
  if (!message.empty()) console_.say(core::Level::kError, message);
  if (listening_) stop();
}

}  // namespace hearth::server
