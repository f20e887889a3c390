// The code of one worker: its project, the bundler that follows it, the last build that is whole,
// and what the checks of the code have found. Loop thread; the App owns one for each worker.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "log/console.h"
#include "project/project.h"
#include "worker/bundler.h"
#include "worker/code_checks.h"

namespace hearth::worker {

class WorkerBuild {
 public:
  struct Setting {
    boost::asio::io_context& context;
    os::Processes& processes;
    const Companions& companions;
    log::Console& console;
    std::filesystem::path folder{};  // where the bundles go
    bool dev = false;
    bool first = true;  // it gets the requests
  };
  struct Hooks {
    std::function<void()>
        on_built;  // a bundle that is whole is there, or its configuration changed
    std::function<void(const BuildReport& report)> on_broken;
    std::function<void(const std::string& ending)> on_end;  // the bundler ended by itself
  };

  WorkerBuild(project::Project project, Setting setting, Hooks hooks);
  ~WorkerBuild();

  const project::Project& project() const { return project_; }
  const CodeFacts& facts() const { return facts_; }      // of the last good build
  const std::string& bundle() const { return bundle_; }  // empty: none was whole yet

  Status start();
  // A changed configuration. What it asks of the bundler may be new too: then it is started again,
  // and otherwise the last build is considered anew.
  Status change(project::Project project);
  // What a host's Ready said of this worker.
  void loaded(nlohmann::json ready);

 private:
  void on_report(std::string_view line);
  void consider(BuildReport& report);
  bool exports_all_classes(BuildReport& report) const;
  void tell_findings();

  project::Project project_;
  const Setting setting_;
  const Hooks hooks_;
  std::unique_ptr<Bundler> bundler_;
  std::unique_ptr<Bundler> last_bundler_;  // kept while one of its events runs
  std::string bundle_;
  std::optional<BuildReport> built_;  // the last that bundled, served or not
  CodeFacts facts_;                   // of the last good build
  std::set<std::string> told_;        // findings of the last change, so that each is told once
};

}  // namespace hearth::worker
