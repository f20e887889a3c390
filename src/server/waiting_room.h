// `dev` with a configuration that cannot be read, or that contradicts what is stored: the port is
// open all the same, and whoever asks is told the finding at once, by page, JSON or close reason,
// until the file is mended. Then the port is handed on and the server proper starts. Owned by main;
// its own event loop, on the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/fault.h"
#include "log/console.h"
#include "net/server.h"
#include "os/asio_world.h"
#include "project/project.h"
#include "server/options.h"

namespace hearth::server {

class WaitingRoom final : net::ServerEvents {
 public:
  explicit WaitingRoom(const Options& options);
  ~WaitingRoom() override;

  // At once when there is nothing to wait for: the configuration is whole, or there is none. False:
  // a signal ended it.
  bool wait();
  // Where it listened, if it did.
  std::optional<std::uint16_t> port() const { return port_; }

 private:
  // The first fault of the configuration as it is now, if it can be mended by an edit.
  std::optional<project::Finding> look();
  bool open();
  void tell(const project::Finding& finding);
  void look_again();
  void leave(std::string_view reason);

  void on_request(const net::Request& request) override;
  void on_body(RequestId, std::string_view) override {}
  void on_body_end(RequestId) override {}
  void on_request_gone(RequestId, std::string_view) override {}
  void on_response_taken(RequestId, std::uint32_t) override {}
  void on_message(net::SocketId, net::MessageKind, std::string_view) override {}
  void on_socket_closed(net::SocketId, std::uint16_t, std::string_view, bool) override {}

  const Options& options_;
  boost::asio::io_context context_{1};
  os::AsioLoop loop_{context_};
  boost::asio::signal_set signals_{context_};
  log::Console console_{options_.log};
  std::unique_ptr<net::Server> network_;
  core::Fault fault_;
  std::string told_;
  std::optional<std::uint16_t> port_;
  bool stopped_ = false;
};

}  // namespace hearth::server
