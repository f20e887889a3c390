// Starts host processes: Node.js with the host's script, a socket as descriptor 3 and the progress
// page as 4, as docs/wire.md says. What they print, and their children, comes by pipes and is
// passed on as records of the log. A process that a host left behind may go on printing; the pipes
// of so many ended hosts are kept. One may be started ahead of its launch: a host that has no
// worker yet waits for Configure. Loop thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "core/host.h"
#include "log/record.h"
#include "worker/host_output.h"

namespace hearth::worker {

// What lies beside the program: <bin>/../host/.
struct Companions {
  std::filesystem::path node;
  std::filesystem::path host_script;
  std::filesystem::path bundler_script;
  std::filesystem::path addon;
  // kNotFound names the file that is missing.
  static Result<Companions> find(const std::filesystem::path& program,
                                 const std::filesystem::path& node);
};

class NodeLauncher final : public core::HostLauncher {
 public:
  static constexpr std::size_t kPipesLeftMax = 64;
  using OutputSink = std::function<void(log::LogRecord)>;

  NodeLauncher(boost::asio::io_context& context, os::Processes& processes, Companions companions,
               std::filesystem::path directory, std::optional<std::uint16_t> inspect_port,
               OutputSink output, unsigned heap_mb = 0)
      : context_(context),
        processes_(processes),
        companions_(std::move(companions)),
        directory_(std::move(directory)),
        inspect_port_(inspect_port),
        output_(std::move(output)),
        heap_mb_(heap_mb) {}

  // The same hosts, without a debugger, for its port is taken by those that serve; what they print
  // goes nowhere, lest it be taken for theirs.
  NodeLauncher for_rehearsals() const {
    const OutputSink nowhere = [](const log::LogRecord&) {};
    return {context_, processes_, companions_, directory_, std::nullopt, nowhere, heap_mb_};
  }

  // Starts the process of the next launch, for a time in which there is something else to wait for.
  // Should it fail or end, the launch starts one as if this had not been called.
  void prepare();

  NodeLauncher(NodeLauncher&&) = default;
  // Takes what has been printed so far.
  ~NodeLauncher() override;

  Result<core::LaunchedHost> launch(std::uint32_t number,
                                    std::function<void(os::ExitStatus)> on_exit) override;

 private:
  using Pipe = std::shared_ptr<OutputPipe>;  // with the handlers that wait for it

  // What a process is told of, once it is somebody's host.
  struct Tie {
    std::uint32_t number = 0;
    std::function<void(os::ExitStatus)> on_exit;
    bool ended = false;
  };
  struct Started {
    core::LaunchedHost host;
    std::shared_ptr<Tie> tie;
  };

  Result<Started> start();
  Pipe open_pipe(os::Descriptor reading, std::shared_ptr<Tie> tie, core::Level level);
  void let_go();

  boost::asio::io_context& context_;
  os::Processes& processes_;
  Companions companions_;
  std::filesystem::path directory_;
  std::optional<std::uint16_t> inspect_port_;
  OutputSink output_;
  unsigned heap_mb_;  // that JavaScript may fill; 0: Node's own limit
  struct Pipes {
    std::deque<Pipe> running;  // of hosts that have not ended
    std::deque<Pipe> left;     // of those that have, the oldest first
  };
  std::shared_ptr<Pipes> pipes_ = std::make_shared<Pipes>();  // with the ends of hosts
  std::optional<Started> ahead_;
};

}  // namespace hearth::worker
