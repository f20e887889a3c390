// A server for trying the net room by hand and for protocol tests: WebSocket messages and request
// bodies come back as they went. net_echo_server [PORT] prints "ready PORT"; SIGTERM ends it.
//   GET  /hello          "hello\n"        POST /echo            the body, streamed
//   GET  /stream?N       N bytes          GET  /headers         the request's headers
//   GET  /ws             an echoing WebSocket; a message "close CODE REASON" closes it
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_map>

#include "net/http_response.h"
#include "net/server.h"

namespace {

using namespace hearth;
using namespace hearth::net;

class Echo final : public ServerEvents {
 public:
  Server* server = nullptr;

  void on_request(const Request& request) override {
    if (request.upgrade) {
      server->upgrade(request.id, {});
    } else if (request.target == "/echo") {
      start_echo(request);
    } else if (request.target.starts_with("/stream?")) {
      std::uint64_t left = std::strtoull(request.target.substr(8).data(), nullptr, 10);
      server->respond_streamed(request.id, 200, "OK", {});
      streams_[request.id] = left;
      pump(request.id, kBodyWindowBytes);
    } else if (request.target == "/headers") {
      std::string text = std::string(request.method) + " " + request.url + "\n";
      for_each_header(request.headers, [&text](std::string_view name, std::string_view value) {
        text.append(name).append(": ").append(value).append("\n");
      });
      server->respond(request.id, 200, "OK", {}, text);
    } else {
      server->respond(request.id, 200, "OK", {}, "hello\n");
    }
  }
  void on_body(RequestId request, std::string_view data) override {
    server->respond_data(request, data);
  }
  void on_body_end(RequestId request) override { server->respond_end(request); }
  void on_request_gone(RequestId request, std::string_view) override { streams_.erase(request); }
  void on_response_taken(RequestId request, std::uint32_t bytes) override {
    if (streams_.contains(request)) {
      pump(request, bytes);
    } else {
      server->body_credit(request, bytes);
    }
  }
  void on_message(SocketId socket, MessageKind kind, std::string_view data) override {
    if (data.starts_with("close ") && data.size() > 10) {
      const auto code =
          static_cast<std::uint16_t>(std::atoi(std::string(data.substr(6, 4)).c_str()));
      server->close(socket, code, data.substr(10));
      return;
    }
    server->send(socket, kind, data);
  }
  void on_socket_closed(SocketId, std::uint16_t, std::string_view, bool) override {}

 private:
  void start_echo(const Request& request) {
    server->respond_streamed(request.id, 200, "OK", {});
    server->respond_data(request.id, request.body);
    if (request.body_complete || !request.has_body) server->respond_end(request.id);
  }
  void pump(RequestId request, std::uint64_t room) {
    std::uint64_t& left = streams_[request];
    const std::uint64_t size = std::min(room, left);
    left -= size;
    const bool done = left == 0;
    if (done) streams_.erase(request);
    server->respond_data(request, std::string(size, 'x'));
    if (done) server->respond_end(request);
  }
  std::unordered_map<RequestId, std::uint64_t> streams_;
};

}  // namespace

int main(int argc, char** argv) {
  boost::asio::io_context loop(1);
  Echo echo;
  ServerOptions options;
  options.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  const auto server = make_server(loop, options, echo);
  echo.server = server.get();
  if (const Status status = server->start(); !status) {
    std::fprintf(stderr, "net_echo_server: %s\n", status.error().message.c_str());
    return 1;
  }
  std::printf("ready %u\n", server->port());
  std::fflush(stdout);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  signals.async_wait([&](boost::system::error_code error, int) {
    if (!error) server->stop(1001, "the server stops", kShutdownTimeoutMs, [] {});
  });
  loop.run();
}
