// A real server on a free port and raw TCP clients, all on the test's own thread: the clients'
// reads turn the server's loop while they wait, so that a test needs no second thread and no sleep.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/server.h"

namespace hearth::net::testing {

// What the server raised, one line each; requests by their number.
class Recorder : public ServerEvents {
 public:
  struct Seen {
    RequestId id;
    std::string method, url, target, headers, body, client_address;
    bool upgrade, has_body, body_complete;
  };
  struct Message {
    SocketId socket;
    MessageKind kind;
    std::string data;
  };
  struct Closed {
    SocketId socket;
    std::uint16_t code;
    std::string reason;
    bool clean;
  };
  std::vector<Seen> requests;
  std::vector<Message> messages;
  std::vector<Closed> closed;
  std::vector<std::pair<RequestId, std::string>> gone;
  std::vector<RequestId> ended;
  std::string streamed;  // request bodies' later parts
  std::uint64_t taken = 0;
  std::function<void(const Request&)> request_hook;
  std::function<void(const Message&)> message_hook;
  std::vector<Closed> closing;
  bool hold_closing = false;

  void on_request(const Request& request) override {
    requests.push_back({request.id, std::string(request.method), request.url,
                        std::string(request.target), std::string(request.headers),
                        std::string(request.body), std::string(request.client_address),
                        request.upgrade, request.has_body, request.body_complete});
    if (request_hook) request_hook(request);
  }
  void on_body(RequestId, std::string_view data) override { streamed.append(data); }
  void on_body_end(RequestId request) override { ended.push_back(request); }
  void on_request_gone(RequestId request, std::string_view reason) override {
    gone.emplace_back(request, reason);
  }
  void on_response_taken(RequestId, std::uint32_t bytes) override { taken += bytes; }
  void on_message(SocketId socket, MessageKind kind, std::string_view data) override {
    messages.push_back({socket, kind, std::string(data)});
    if (message_hook) message_hook(messages.back());
  }
  bool on_socket_closing(SocketId socket, std::uint16_t code, std::string_view reason,
                         bool clean) override {
    closing.push_back({socket, code, std::string(reason), clean});
    return hold_closing;
  }
  void on_socket_closed(SocketId socket, std::uint16_t code, std::string_view reason,
                        bool clean) override {
    closed.push_back({socket, code, std::string(reason), clean});
  }
};

class ServerTest : public ::testing::Test {
 protected:
  static constexpr auto kPatience = std::chrono::seconds(20);

  void TearDown() override { server_.reset(); }

  void start(ServerOptions options = {}) {
    options.port = 0;
    server_ = make_server(loop_, options, seen_);
    const Status status = server_->start();
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  // Turns the loop until `done`; false when patience ends.
  bool turn_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(5));
      loop_.poll();
    }
    return true;
  }
  // Lets the server do everything that it can do now.
  void turn_some(int rounds = 20) {
    for (int i = 0; i < rounds; ++i) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(1));
      loop_.poll();
    }
  }

  class Client {
   public:
    // `from`: its own address.
    explicit Client(ServerTest& test, const char* from = "127.0.0.1") : test_(test) {
      fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in own{};
      own.sin_family = AF_INET;
      ::inet_pton(AF_INET, from, &own.sin_addr);
      EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof own), 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(test.server_->port());
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      ::fcntl(fd_, F_SETFL, O_NONBLOCK);
    }
    ~Client() { leave(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    int fd() const { return fd_; }
    void send(std::string_view bytes) {
      while (!bytes.empty()) {
        const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count > 0) {
          bytes.remove_prefix(static_cast<std::size_t>(count));
        } else {
          if (errno != EAGAIN) return;  // refused by the server; the test sees what it answered
          pull();
          test_.turn_some(1);
        }
      }
    }
    void half_close() { ::shutdown(fd_, SHUT_WR); }
    void leave() {
      if (fd_ >= 0) ::close(fd_);
      fd_ = -1;
    }
    void reset() {
      const linger hard{1, 0};
      ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      leave();
    }
    // What has come and was not taken yet.
    std::string& inbox() {
      pull();
      return inbox_;
    }
    bool at_end() const { return end_; }
    bool was_reset() const { return reset_; }
    // Until `count` bytes are there, or the server closes.
    std::string read(std::size_t count) {
      EXPECT_TRUE(test_.turn_until([&] { return pull(), inbox_.size() >= count || end_; }));
      std::string out = inbox_.substr(0, count);
      inbox_.erase(0, count);
      return out;
    }
    std::string read_until(const std::string& mark) {
      EXPECT_TRUE(test_.turn_until([&] {
        return pull(), inbox_.find(mark) != std::string::npos || end_;
      })) << "still waiting for "
          << mark << ", have " << inbox_.substr(0, 500);
      const std::size_t at = inbox_.find(mark);
      const std::size_t size = at == std::string::npos ? inbox_.size() : at + mark.size();
      std::string out = inbox_.substr(0, size);
      inbox_.erase(0, size);
      return out;
    }
    std::string read_to_end() {
      EXPECT_TRUE(test_.turn_until([&] { return pull(), end_; })) << "the server closes";
      return std::exchange(inbox_, {});
    }
    // A head and, by its Content-Length, its body.
    std::string read_response() {
      std::string head = read_until("\r\n\r\n");
      const std::size_t at = head.find("Content-Length: ");
      if (at == std::string::npos) return head;
      return head + read(static_cast<std::size_t>(std::atoi(head.c_str() + at + 16)));
    }

   private:
    void pull() {
      char buffer[65536];
      while (fd_ >= 0 && !end_) {
        const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
        if (count > 0) {
          inbox_.append(buffer, static_cast<std::size_t>(count));
          continue;
        }
        if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
          end_ = true;
          reset_ = count < 0;
        }
        return;
      }
    }
    ServerTest& test_;
    std::string inbox_;
    int fd_ = -1;
    bool end_ = false;
    bool reset_ = false;
  };

  boost::asio::io_context loop_{1};
  Recorder seen_;
  std::unique_ptr<Server> server_;
};

}  // namespace hearth::net::testing
