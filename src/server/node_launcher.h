// Starts host processes: Node.js with the host's script, a socket as descriptor 3 and the progress
// page as 4, as docs/wire.md says.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "core/host.h"

namespace hearth::server {

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
  NodeLauncher(boost::asio::io_context& context, os::Processes& processes, Companions companions,
               std::filesystem::path directory, std::optional<std::uint16_t> inspect_port,
               int output = -1, unsigned heap_mb = 0)
      : context_(context),
        processes_(processes),
        companions_(std::move(companions)),
        directory_(std::move(directory)),
        inspect_port_(inspect_port),
        output_(output),
        heap_mb_(heap_mb) {}

  // The same hosts, without a debugger: its port is taken by those that serve.
  NodeLauncher for_rehearsals() const {
    return {context_, processes_, companions_, directory_, std::nullopt, output_, heap_mb_};
  }

  Result<core::LaunchedHost> launch(std::function<void(os::ExitStatus)> on_exit) override;

 private:
  boost::asio::io_context& context_;
  os::Processes& processes_;
  Companions companions_;
  std::filesystem::path directory_;
  std::optional<std::uint16_t> inspect_port_;
  int output_;        // the descriptor that hosts print to; -1: this process's own
  unsigned heap_mb_;  // that JavaScript may fill; 0: Node's own limit
};

}  // namespace hearth::server
