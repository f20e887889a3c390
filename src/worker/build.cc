#include "worker/build.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace hearth::worker {

WorkerBuild::WorkerBuild(project::Project project, Setting setting, Hooks hooks)
    : project_(std::move(project)), setting_(std::move(setting)), hooks_(std::move(hooks)) {}

WorkerBuild::~WorkerBuild() = default;

Status WorkerBuild::start() {
  auto job = nlohmann::ordered_json::parse(project_.bundle_job_json);
  job["outdir"] = setting_.folder.string();
  job["watch"] = setting_.dev;
  job["scan"] = setting_.dev;
  if (!setting_.first) job["worker"] = project_.name;
  last_bundler_ = std::move(bundler_);
  bundler_ = std::make_unique<Bundler>(
      setting_.context, setting_.processes, setting_.companions,
      [this](std::string_view line) { on_report(line); },
      [this](const std::string& ending) { hooks_.on_end(ending); });
  const Status started = bundler_->start(job.dump());
  if (started) return {};
  return Error{started.error().code,
               "the bundler could not be started: " + started.error().message};
}

Status WorkerBuild::change(project::Project project) {
  const bool same_job = project.bundle_job_json == project_.bundle_job_json;
  project_ = std::move(project);
  for (const std::string& warning : project_.warnings) {
    setting_.console.say(core::Level::kWarn, warning);
  }
  if (!same_job) return start();
  // The same bundle may be whole with this configuration, or no longer be.
  if (built_) consider(*built_);
  return {};
}

void WorkerBuild::on_report(std::string_view line) {
  auto read = read_report(line);
  if (!read) return setting_.console.say(core::Level::kWarn, read.error().message);
  BuildReport& report = *read;
  for (const std::string& warning : report.warnings) {
    setting_.console.say(core::Level::kWarn, warning);
  }
  if (report.ok) built_ = report;
  if (report.ok) facts_ = facts_of_report(line);
  facts_.gets_requests = setting_.first;
  if (report.ok && report.unchanged && report.bundle == bundle_) return;
  consider(report);
}

// Offers a build, if it is whole; with none that is, clients get its fault.
void WorkerBuild::consider(BuildReport& report) {
  if (!report.ok || !exports_all_classes(report)) return hooks_.on_broken(report);
  bundle_ = report.bundle;
  hooks_.on_built();
}

// B204: a bound class that main does not export would fail at its first use.
bool WorkerBuild::exports_all_classes(BuildReport& report) const {
  if (!report.exports_known) return true;
  for (const project::Finding& each : check_exports(project_, facts_)) {
    if (each.code != "B204") continue;
    const std::string diff = project::diff_of(each.edits, project_.root);
    report.fault = {.code = each.code,
                    .status = 503,
                    .message = each.message,
                    .where = each.file.filename().string() + ":" + std::to_string(each.at.line) +
                             ":" + std::to_string(each.at.column),
                    .fix = diff.empty() ? "Export the class from the file that main names." : diff};
    report.errors = "  B204: " + report.fault.message + "\n" + report.fault.fix;
    return false;
  }
  return true;
}

void WorkerBuild::loaded(nlohmann::json ready) {
  facts_.ready = std::move(ready);
  if (setting_.dev) tell_findings();
  const auto handlers = facts_.ready.find("handlers");
  if (handlers == facts_.ready.end() || project_.crons.empty()) return;
  if (std::find(handlers->begin(), handlers->end(), nlohmann::json("scheduled")) !=
      handlers->end()) {
    return;
  }
  setting_.console.say(core::Level::kWarn,
                       "the configuration of " + project_.name +
                           " has cron triggers, but the worker's default export has no scheduled "
                           "handler");
}

// The checks of the code that `hearth doctor` makes; each finding is told when it is new.
void WorkerBuild::tell_findings() {
  std::set<std::string> found;
  std::vector<project::Finding> all = check_exports(project_, facts_);
  for (project::Finding& each : check_code(project_, facts_)) all.push_back(std::move(each));
  for (const project::Finding& each : all) {
    const std::string text = project::sentence(each);
    found.insert(text);
    if (told_.contains(text)) continue;
    const std::string diff = project::diff_of(each.edits, project_.root);
    setting_.console.say(core::Level::kWarn, text + (diff.empty() ? "" : "\n" + diff));
  }
  told_ = std::move(found);
}

}  // namespace hearth::worker
