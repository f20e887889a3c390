// The bundler's process: gets one job, answers with one report per build (docs/wire.md). In watch
// mode it goes on until it is destroyed. Loop thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/fault.h"
#include "os/world.h"
#include "worker/host_output.h"
#include "worker/node_launcher.h"

namespace hearth::worker {

struct BuildReport {
  bool ok = false;
  std::string bundle;
  bool unchanged = false;
  std::int64_t ms = 0;
  std::vector<std::string> exports;
  bool exports_known = false;
  std::vector<std::string> warnings;  // ready to print
  std::string errors;                 // all of them, ready to print
  core::Fault fault;                  // what clients are told while there is nothing to serve
};

// The code of a build error, by the bundler's words for it.
std::string_view build_code(std::string_view text);

// kInvalid when the line is no report.
Result<BuildReport> read_report(std::string_view line);

class Bundler final : os::StreamEvents {
 public:
  // `on_report` for each build; `on_end` when the process ends by itself: how, and with what words.
  Bundler(boost::asio::io_context& context, os::Processes& processes, const Companions& companions,
          std::function<void(std::string_view line)> on_report,
          std::function<void(const std::string& ending)> on_end);
  ~Bundler() override;
  Status start(const std::string& job_json);

 private:
  void on_data(std::string_view data) override;
  void on_writable() override;
  void on_closed() override;
  void ended_if_all_is_in();
  void note_complaint(std::string text);

  boost::asio::io_context& context_;
  os::Processes& processes_;
  const Companions& companions_;
  std::function<void(std::string_view)> on_report_;
  std::function<void(const std::string&)> on_end_;
  std::unique_ptr<os::Process> process_;
  std::unique_ptr<os::Stream> input_;
  std::unique_ptr<os::Stream> output_;
  // Its standard error: of no use while it works, and the reason when it ends by itself.
  std::shared_ptr<OutputPipe> errors_;
  std::string complaint_;
  std::string pending_;
  std::optional<os::ExitStatus> exit_;
  bool closed_ = false;
};

}  // namespace hearth::worker
