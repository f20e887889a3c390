// The process that takes another's place (upgrade.h is the other's side): it was started by a
// running hearth with one end of a socket pair. Before it takes over it touches neither the state
// directory nor any client. Loop thread; owned by the App.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/handover.h"
#include "os/descriptor_channel.h"

namespace hearth::server {

// Names the descriptor, in the environment.
inline constexpr const char* kHandoverVariable = "HEARTH_HANDOVER_FD";

class Successor {
 public:
  // Null when this process was started by nobody to take over.
  static std::unique_ptr<Successor> from_environment();
  explicit Successor(os::Descriptor socket) : channel_(std::move(socket)) {}

  // Reads what is offered. kConflict: it is a newer hearth's, in a format that this one cannot
  // read.
  Status meet();

  struct Parts {
    boost::asio::io_context& context;
    core::Engine& engine;
    net::Server& network;
    core::Registry& registry;
    core::Report& report;
    const os::Clock& clock;
    std::filesystem::path state;
  };
  // All is warm: says so once, and takes over when the other is ready to leave. `taken` runs when
  // everything is this process's, just before it serves; `failed` when that went wrong and nothing
  // is.
  void ready(Parts parts, std::function<void()> taken, std::function<void(std::string)> failed);
  // The last words of a process that cannot take over.
  void refuse(const std::string& why);
  bool taken_over() const { return taken_over_; }

 private:
  void take_over();
  Status receive_all();
  Status await_go();

  os::DescriptorChannel channel_;
  core::handover::Offer offer_;
  std::optional<Parts> parts_;
  std::function<void()> taken_;
  std::function<void(std::string)> failed_;
  std::unique_ptr<core::EngineHandover> handover_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> readable_;
  bool taken_over_ = false;
};

}  // namespace hearth::server
