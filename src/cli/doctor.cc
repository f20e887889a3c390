#include "cli/doctor.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <set>
#include <utility>

#include "cli/doctor_print.h"
#include "cli/doctor_url.h"
#include "core/fault.h"
#include "core/host.h"
#include "core/registry.h"
#include "log/redactor.h"
#include "os/asio_world.h"
#include "os/files.h"
#include "project/catalogue.h"
#include "project/config_edits.h"
#include "project/workers.h"
#include "server/state_check.h"
#include "wire/codec.h"
#include "worker/bundler.h"
#include "worker/node_launcher.h"

namespace hearth::cli {
namespace {

using Json = nlohmann::json;
using project::Finding;
using project::Weight;
namespace fs = std::filesystem;

constexpr std::uint32_t kBuildMsMax = 120'000;
constexpr std::uint32_t kLoadMsMax = 20'000;
constexpr unsigned kFixesMax = 50;  // more than that is not mended by edits of single lines

// One host that is configured, and ended when it has said Ready or LoadFailed.
class Loading final : core::HostEvents {
 public:
  Loading(boost::asio::io_context& context, const os::World& world, core::HostLauncher& launcher,
          std::string document)
      : context_(context), world_(world), launcher_(launcher) {
    auto owned = std::make_shared<core::Document>();
    owned->json = std::move(document);
    core::HostEvents& self = *this;
    host_ = std::make_unique<core::Host>(1, std::move(owned), world, self);
  }

  Status run() {
    Status launched = host_->launch(launcher_);
    if (!launched) return launched;
    deadline_ = world_.loop.after(kLoadMsMax, [this] {
      late_ = true;
      host_->kill("it did not load in time");
    });
    context_.restart();
    context_.run();
    return {};
  }

  std::string ready;   // Ready's JSON, if it loaded
  std::string failed;  // LoadFailed's
  bool late() const { return late_; }
  std::string ending() const { return ending_; }

  // The messages that tell how it went.
  void on(const wire::Ready& message) { finish(ready, message.json); }
  void on(const wire::LoadFailed& message) { finish(failed, message.json); }
  template <typename Message>
  void on(const Message&) {}

 private:
  void finish(std::string& target, std::string_view json) {
    target = json;
    host_->kill("it has been examined");
  }
  Status on_host_frame(core::Host&, std::string_view frame) override {
    return wire::dispatch<wire::Direction::kToCore>(frame, *this);
  }
  void on_host_batch_end(core::Host&) override {}
  void on_host_room(core::Host&) override {}
  void on_host_ended(core::Host& host) override {
    ending_ = host.ending();
    world_.loop.cancel(deadline_);
    context_.stop();
  }

  boost::asio::io_context& context_;
  const os::World& world_;
  core::HostLauncher& launcher_;
  std::unique_ptr<core::Host> host_;
  os::TimerId deadline_;
  bool late_ = false;
  std::string ending_;
};

// "/abs/file.ts:12:7" in its parts.
void set_place(Finding& finding, const std::string& where, const fs::path& root) {
  const std::size_t column = where.rfind(':');
  const std::size_t line =
      column == std::string::npos || column == 0 ? std::string::npos : where.rfind(':', column - 1);
  if (line == std::string::npos) return;
  finding.file = (root / where.substr(0, line)).lexically_normal();
  finding.at.line = static_cast<std::uint32_t>(std::strtoul(where.c_str() + line + 1, nullptr, 10));
  finding.at.column =
      static_cast<std::uint32_t>(std::strtoul(where.c_str() + column + 1, nullptr, 10));
}

class Doctor {
 public:
  explicit Doctor(const server::Options& options) : options_(options) {}

  Examination run() {
    auto companions = worker::Companions::find(os::program_path(), options_.node);
    if (!companions) return cannot(companions.error().message);
    companions_ = std::move(companions).value();
    project::LoadOptions load;
    load.config = options_.config;
    load.others = options_.others;
    load.environment = options_.environment;
    load.vars = options_.vars;
    project::Inspection inspection = project::inspect(load);
    out_.findings = std::move(inspection.findings);
    out_.config_path = inspection.config_path;
    out_.project = std::move(inspection.project);
    out_.others = std::move(inspection.others);
    if (out_.config_path.empty()) out_.looked = false;
    if (out_.project) examine_project();
    weigh();
    return std::move(out_);
  }

 private:
  Examination cannot(std::string why) {
    out_.looked = false;
    out_.notes.push_back(std::move(why));
    return std::move(out_);
  }

  void add(std::vector<Finding> found) {
    std::move(found.begin(), found.end(), std::back_inserter(out_.findings));
  }

  void examine_project() {
    compare_state();
    if (work_.path().empty()) return out_.notes.push_back("no temporary folder could be made");
    const std::string report = build();
    if (report.empty()) {
      return out_.notes.push_back("the bundler gave no report" + bundler_ending_);
    }
    const auto read = worker::read_report(report);
    if (!read) return out_.notes.push_back(read.error().message);
    if (!read->ok) return add(build_findings(report, out_.project->root));
    out_.facts = worker::facts_of_report(report);
    out_.facts.gets_requests = options_.first;
    add(worker::check_exports(*out_.project, out_.facts));
    load(read->bundle);
    add(worker::check_code(*out_.project, out_.facts));
  }

  // S304. A state directory that nobody has made yet has nothing to compare.
  void compare_state() {
    const fs::path state =
        fs::absolute(options_.state.empty() ? out_.project->root / ".hearth" : options_.state)
            .lexically_normal();
    std::error_code ignored;
    if (!fs::exists(state / "registry.sqlite", ignored)) return;
    auto registry = core::Registry::open(state, loop_);
    if (!registry && registry.error().code == ErrorCode::kCorrupt) {
      out_.findings.push_back(server::state_finding(registry.error().message, Weight::kFault,
                                                    state / "registry.sqlite"));
      return;
    }
    if (!registry) {
      out_.notes.push_back("the stored state was not compared: " + registry.error().message);
      return;
    }
    const bool clean = (*registry)->was_closed_cleanly();
    auto plan =
        server::adopt_state(*out_.project, state, **registry, {.tolerates_missing_tags = true});
    if (clean) (*registry)->close();
    if (plan) {
      for (std::string& each : plan->warnings) {
        out_.findings.push_back(
            server::state_finding(std::move(each), Weight::kWarning, out_.config_path));
      }
      return;
    }
    out_.findings.push_back(
        server::state_finding(plan.error().message, Weight::kFault, out_.config_path));
  }

  std::string build() {
    auto job = nlohmann::ordered_json::parse(out_.project->bundle_job_json);
    job["outdir"] = (work_.path() / "bundle").string();
    job["watch"] = false;
    job["scan"] = true;
    std::string report;
    worker::Bundler bundler(
        context_, processes_, companions_,
        [&](std::string_view line) { report = std::string(line); },
        [&](const std::string& ending) {
          bundler_ending_ = "; it ended with " + ending;
          context_.stop();
        });
    if (!bundler.start(job.dump())) return {};
    const os::TimerId deadline = loop_.after(kBuildMsMax, [&] { context_.stop(); });
    context_.restart();
    context_.run();
    loop_.cancel(deadline);
    return report;
  }

  void load(const std::string& bundle) {
    auto document = project::join({*out_.project}).document;
    document["bundle"] = bundle;
    document["state"] = (work_.path() / "state").string();
    // What the code prints while it is loaded is no part of the report.
    log::Redactor redactor;
    redactor.add(log::secrets_of(out_.project->worker_json));
    const auto print_aside = [&redactor](log::LogRecord record) {
      redactor.redact(record);
      std::fprintf(stderr, "%s\n", record.message.c_str());
    };
    worker::NodeLauncher launcher(context_, processes_, companions_, out_.project->root,
                                  std::nullopt, print_aside);
    const os::World world{clock_, loop_, processes_};
    Loading loading(context_, world, launcher, document.dump());
    const Status run = loading.run();
    if (!run) return out_.notes.push_back("no host could be started: " + run.error().message);
    if (!loading.ready.empty()) {
      out_.facts.ready = Json::parse(loading.ready, nullptr, false);
      return;
    }
    const core::Fault fault = core::fault_from_json(loading.failed, {});
    Finding finding{.code = "S302", .weight = Weight::kFault};
    finding.message = loading.late() ? "the code did not finish loading within " +
                                           std::to_string(kLoadMsMax / 1000) +
                                           " s: a loop at the top level of a module may not end"
                      : loading.failed.empty() ? "the host ended while loading: " + loading.ending()
                                               : fault.message;
    if (!fault.fix.empty()) finding.message += ". " + fault.fix;
    finding.stack = fault.stack;
    set_place(finding, fault.where, out_.project->root);
    out_.findings.push_back(std::move(finding));
  }

  // Faults first; and what may be applied without asking.
  bool names_no_export(const Finding& finding) const {
    const auto& exports = out_.facts.exports;
    return std::any_of(
        out_.project->bindings.begin(), out_.project->bindings.end(), [&](const auto& each) {
          return each.name == finding.subject &&
                 std::find(exports.begin(), exports.end(), each.class_name) == exports.end();
        });
  }

  void weigh() {
    for (Finding& each : out_.findings) {
      if (each.code != "C107" || !out_.project) continue;
      for (const auto& binding : out_.project->bindings) {
        if (binding.name == each.subject) {
          each.safe = !each.edits.empty() && out_.facts.exports_known &&
                      !worker::code_knows_binding(out_.facts, binding);
        }
      }
    }
    // A class that is misspelt is no reason to spell the binding alike.
    std::erase_if(out_.findings, [this](const Finding& each) {
      return each.code == "C107" && out_.project && out_.facts.exports_known &&
             names_no_export(each);
    });
    std::stable_sort(out_.findings.begin(), out_.findings.end(),
                     [](const Finding& a, const Finding& b) { return a.weight < b.weight; });
  }

  const server::Options& options_;
  boost::asio::io_context context_{1};
  os::SystemClock clock_;
  os::AsioLoop loop_{context_};
  os::SystemProcesses processes_{context_};
  worker::Companions companions_;
  os::TemporaryFolder work_{"hearth-doctor-"};
  Examination out_;
  std::string bundler_ending_;  // how it ended, when it gave no report
};

bool coloured() {
  return ::isatty(STDOUT_FILENO) == 1 && ::getenv("NO_COLOR") == nullptr;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

// Applies safe edits one by one, looking anew after each, for one may mend or make another.
std::string fix(const server::Options& options, Examination& examination) {
  std::string diffs;
  for (unsigned i = 0; i < kFixesMax; ++i) {
    const auto next = std::find_if(examination.findings.begin(), examination.findings.end(),
                                   [](const Finding& each) { return each.safe; });
    if (next == examination.findings.end()) break;
    const log::Redactor hidden = secrets_to_hide(examination);
    std::string message = next->message;
    hidden.redact(message);
    diffs += "fixed " + next->code + "  " + message + "\n" +
             diff_text(*next, examination.config_path.parent_path(), hidden) + "\n";
    const std::string mended = project::sentence(*next);
    const Status applied = project::apply(next->edits);
    if (!applied) return diffs + "  note: " + applied.error().message + "\n";
    examination = examine(options);
    // An edit that mends nothing is not tried twice.
    for (Finding& each : examination.findings) {
      if (project::sentence(each) == mended) each.safe = false;
    }
  }
  return diffs;
}

// Puts beside what was found within what a running server shows. Without a project here that is
// all there is to look at.
void add_outside(const server::Options& options, Examination& examination) {
  OutsideRequest request;
  request.url = options.url;
  request.origin = options.origin;
  request.idle_s = options.idle_s;
  if (examination.project) {
    for (const auto& each : examination.project->bindings) {
      request.segments.push_back(each.url_segment);
    }
  }
  OutsideView view = look_from_outside(request);
  if (examination.config_path.empty()) {
    std::erase_if(examination.findings, [](const Finding& each) { return each.code == "C111"; });
    examination.looked = true;
  }
  examination.looked = examination.looked && view.looked;
  std::move(view.findings.begin(), view.findings.end(), std::back_inserter(examination.findings));
  std::move(view.notes.begin(), view.notes.end(), std::back_inserter(examination.notes));
  std::stable_sort(examination.findings.begin(), examination.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.weight < b.weight; });
}

}  // namespace

std::vector<Finding> build_findings(std::string_view text, const fs::path& root) {
  std::vector<Finding> out;
  const Json report = Json::parse(text, nullptr, false);
  if (!report.is_object() || !report.contains("errors")) return out;
  for (const Json& each : report["errors"]) {
    Finding finding{.code = "B201", .weight = Weight::kFault};
    finding.message = each.value("text", "");
    finding.code = worker::build_code(finding.message);
    if (each.contains("file") && each["file"].is_string()) {
      finding.file = (root / each["file"].get<std::string>()).lexically_normal();
    }
    if (each.contains("line") && each["line"].is_number()) {
      finding.at = {each["line"].get<std::uint32_t>(), each["column"].get<std::uint32_t>()};
    }
    for (const Json& note : each.value("notes", Json::array())) {
      finding.message += "; " + note.value("text", "");
    }
    out.push_back(std::move(finding));
  }
  return out;
}

Examination examine(const server::Options& options) {
  return Doctor(options).run();
}

namespace {

// One worker; `config_path` is where its configuration was found.
int doctor_of(const server::Options& options, fs::path& config_path) {
  Examination examination = examine(options);
  config_path = examination.config_path;
  if (options.fix) {
    const std::string diffs = fix(options, examination);
    if (!options.json) print(diffs);
  }
  if (!options.url.empty()) add_outside(options, examination);
  const int code = exit_code_of(examination);
  print(options.json ? examination_json(examination, code)
                     : "hearth doctor  " + examination.config_path.string() + "\n\n" +
                           examination_text(examination, coloured()));
  return code;
}

}  // namespace

int doctor(const server::Options& options) {
  ::signal(SIGPIPE, SIG_IGN);
  fs::path first;
  int code = doctor_of(options, first);
  for (std::size_t i = 0; i < options.others.size(); ++i) {
    server::Options one = options;
    std::swap(one.config, one.others[i]);
    one.vars.clear();
    one.first = false;
    if (one.state.empty()) one.state = first.parent_path() / ".hearth";
    fs::path path;
    code = std::max(code, doctor_of(one, path));
  }
  return code;
}

int explain_code(const std::string& code) {
  if (const project::Diagnostic* found = project::find_diagnostic(code)) {
    print(project::explain(*found));
    return 0;
  }
  std::fprintf(stderr, "hearth knows no code \"%s\"; they are:\n", code.c_str());
  for (const auto& each : project::all_diagnostics()) {
    std::fprintf(stderr, "  %s  %s\n", std::string(each.code).c_str(),
                 std::string(each.title).c_str());
  }
  return 2;
}

}  // namespace hearth::cli
