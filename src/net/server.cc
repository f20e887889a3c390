#include "net/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "net/address.h"
#include "net/http_session.h"
#include "net/hub.h"
#include "net/hub_handover.h"
#include "net/unix_socket.h"
#include "net/websocket_session.h"

namespace hearth::net {

namespace {

namespace asio = boost::asio;
constexpr auto kSweepInterval = std::chrono::milliseconds(250);
constexpr int kAcceptsPerTurn = 64;
constexpr int kBacklog = 4096;

std::string errno_text() {
  return std::strerror(errno);
}

class ServerImpl final : public Server {
 public:
  ServerImpl(asio::io_context& loop, ServerOptions options, ServerEvents& events)
      : loop_(loop), hub_(std::move(options), events), poll_(loop), sweep_timer_(loop) {
    hub_.schedule = [this] {
      asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.expired()) return;
        hub_.end_turn();
        check_stopped();
      });
    };
  }
  ~ServerImpl() override {
    alive_.reset();
    close_listener();
    if (poll_.is_open()) poll_.release();  // the hub owns it
  }

  Status start() override;
  std::uint16_t port() const override { return port_; }
  void stop(std::uint16_t code, std::string_view reason, std::uint32_t deadline_ms,
            std::function<void()> done) override;

  void respond(RequestId request, std::uint16_t status, std::string_view status_text,
               std::string_view headers, std::string_view body) override {
    if (HttpSession* http = http_of(request))
      http->respond(request, status, status_text, headers, body);
  }
  void respond_streamed(RequestId request, std::uint16_t status, std::string_view status_text,
                        std::string_view headers) override {
    if (HttpSession* http = http_of(request))
      http->respond_streamed(request, status, status_text, headers);
  }
  void respond_data(RequestId request, std::string_view data) override {
    if (HttpSession* http = http_of(request)) http->respond_data(request, data);
  }
  void respond_end(RequestId request) override {
    if (HttpSession* http = http_of(request)) http->respond_end(request);
  }
  void respond_abort(RequestId request) override {
    if (HttpSession* http = http_of(request)) http->respond_abort(request);
  }
  SocketId upgrade(RequestId request, std::string_view headers) override;
  void body_credit(RequestId request, std::uint32_t bytes) override {
    if (HttpSession* http = http_of(request)) http->body_credit(request, bytes);
  }

  SendResult send(SocketId socket, MessageKind kind, std::string_view data) override {
    WebSocketSession* session = socket_of(socket);
    return session != nullptr ? session->send(kind, data) : SendResult::kUnknown;
  }
  void close(SocketId socket, std::uint16_t code, std::string_view reason) override {
    if (WebSocketSession* session = socket_of(socket)) session->close(code, reason);
  }
  void pause(SocketId socket) override {
    if (WebSocketSession* session = socket_of(socket)) session->pause();
  }
  void resume(SocketId socket) override {
    if (WebSocketSession* session = socket_of(socket)) session->resume();
  }
  ServerCounters counters() const override { return hub_.counters; }
  Handover* handover() override { return &handover_; }

 private:
  HttpSession* http_of(RequestId request) {
    Connection* connection = hub_.find(Hub::slot_of(request.value));
    return connection != nullptr ? connection->session().http() : nullptr;
  }
  WebSocketSession* socket_of(SocketId socket) {
    Connection* connection = hub_.find(Hub::slot_of(socket.value));
    if (connection == nullptr) return nullptr;
    auto* session = connection->session().web_socket();
    return session != nullptr && session->id() == socket ? session : nullptr;
  }

  Status bind();
  Status listen(const asio::ip::address& address);
  Status listen_on(int listener);
  Status read_address();
  void begin();
  HubHandover::Listener listener_control() {
    return {[this] { return listener_; }, [this](int listener) { return listen_on(listener); },
            [this](bool wanted) { watch_listener(wanted); }};
  }
  void close_listener();
  void watch_listener(bool wanted);
  void accept();
  bool descriptor_free() const;
  void stall(int error);
  void unstall();
  void await_ready();
  void await_sweep();
  void check_stopped();

  asio::io_context& loop_;
  Hub hub_;
  asio::posix::stream_descriptor poll_;
  asio::steady_timer sweep_timer_;
  // Handlers that the loop still holds when the server is destroyed find this gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::function<void()> stopped_;
  TimeMs stop_by_ms_ = 0;
  int listener_ = -1;
  UnixListener unix_;       // whose descriptor it is, for a Unix socket
  bool listening_ = false;  // the listener is in the poll set
  bool stalled_ = false;    // the last client in line could not be accepted
  int highest_ = -1;        // of the descriptors that clients have had
  HubHandover handover_{hub_, listener_control()};
  std::uint16_t port_ = 0;
};

Status ServerImpl::listen(const asio::ip::address& address) {
  const int family = address.is_v6() ? AF_INET6 : AF_INET;
  listener_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) return Error{ErrorCode::kIo, "no socket to listen on: " + errno_text()};
  // Accepted sockets inherit these: no delay, and a peer that vanished is noticed in two minutes.
  const auto set = [this](int level, int name, int value) {
    ::setsockopt(listener_, level, name, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_REUSEADDR, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  if (family == AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, 0);
  const asio::ip::tcp::endpoint endpoint(address, hub_.options.port);
  if (::bind(listener_, endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0 ||
      ::listen(listener_, kBacklog) != 0) {
    const bool taken = errno == EADDRINUSE;
    Error error{taken ? ErrorCode::kConflict : ErrorCode::kIo,
                "cannot listen on " + hub_.options.address + " port " +
                    std::to_string(hub_.options.port) + ": " + errno_text()};
    close_listener();
    return error;
  }
  return {};
}

Status ServerImpl::listen_on(int listener) {
  ASSERT(listener_ < 0, "a server starts once");
  if (!hub_.open_poll()) return Error{ErrorCode::kIo, "no epoll descriptor: " + errno_text()};
  listener_ = listener;
  if (Status status = read_address(); !status) return status;
  begin();
  return {};
}

Status ServerImpl::read_address() {
  asio::ip::tcp::endpoint bound;
  auto size = static_cast<socklen_t>(bound.capacity());
  if (::getsockname(listener_, bound.data(), &size) != 0) {
    return Error{ErrorCode::kIo, "getsockname: " + errno_text()};
  }
  port_ = bound.port();
  const std::string text = bound.address().to_string();
  hub_.default_host =
      (bound.address().is_v6() ? "[" + text + "]" : text) + ":" + std::to_string(port_);
  return {};
}

// The listener listens: everything else that is needed to serve.
void ServerImpl::begin() {
  poll_.assign(hub_.poll_fd());
  watch_listener(true);
  await_ready();
  await_sweep();
}

Status ServerImpl::start() {
  ASSERT(listener_ < 0, "a server starts once");
  if (!hub_.open_poll()) return Error{ErrorCode::kIo, "no epoll descriptor: " + errno_text()};
  if (Status status = bind(); !status) return status;
  begin();
  return {};
}

Status ServerImpl::bind() {
  if (!hub_.options.unix_path.empty()) {
    if (Status status = unix_.open(hub_.options.unix_path, kBacklog); !status) return status;
    listener_ = unix_.fd();
    hub_.default_host = "localhost";
    return {};
  }
  boost::system::error_code error;
  const std::string& given = hub_.options.address;
  const auto address = asio::ip::make_address(given == "localhost" ? "127.0.0.1"
                                              : given == "*"       ? "::"
                                                                   : given,
                                              error);
  if (error) return Error{ErrorCode::kInvalid, given + " is not an IP address to listen on"};
  if (Status status = listen(address); !status) return status;
  return read_address();
}

void ServerImpl::watch_listener(bool wanted) {
  if (listener_ < 0 || wanted == listening_ || (wanted && hub_.held)) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = Hub::kListenerTag;
  epoll_ctl(hub_.poll_fd(), wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener_, &event);
  listening_ = wanted;
}

void ServerImpl::close_listener() {
  if (listener_ >= 0 && listener_ != unix_.fd()) ::close(listener_);
  unix_.close();
  listener_ = -1;
  listening_ = false;
}

void ServerImpl::await_ready() {
  poll_.async_wait(asio::posix::stream_descriptor::wait_read,
                   [this, alive = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
                     if (error || alive.expired()) return;
                     hub_.run_ready([this] { accept(); });
                     check_stopped();
                     if (poll_.is_open()) await_ready();
                   });
}

// Deadlines are coarse: one timer looks at all of them four times a second.
void ServerImpl::await_sweep() {
  sweep_timer_.expires_after(kSweepInterval);
  sweep_timer_.async_wait(
      [this, alive = std::weak_ptr<bool>(alive_)](boost::system::error_code error) {
        if (error || alive.expired()) return;
        hub_.sweep();
        watch_listener(true);  // after a pause for want of descriptors
        check_stopped();
        if (poll_.is_open()) await_sweep();
      });
}

void ServerImpl::accept() {
  for (int i = 0; i < kAcceptsPerTurn && listener_ >= 0; ++i) {
    if (hub_.full()) return watch_listener(false);
    if (!descriptor_free()) return stall(EMFILE);
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // Out of descriptors or memory: clients wait in the backlog until the next sweep. Others are
      // faults of that one client.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return stall(errno);
      }
      if (errno == EAGAIN) return i > 0 ? unstall() : void();
      continue;
    }
    highest_ = std::max(highest_, fd);
    bool loopback = false;
    std::string address = address_text(peer, loopback);
    Connection& connection = hub_.add(fd);
    connection.set_session(std::make_unique<HttpSession>(connection, std::move(address), loopback));
    connection.set_deadline(hub_.now_ms() + hub_.options.keep_alive_timeout_ms);
  }
  unstall();
}

// Whether clients may take the next descriptor. The lowest free one is asked for only when clients
// have come near to what is kept from them.
bool ServerImpl::descriptor_free() const {
  const auto most = static_cast<int>(hub_.options.descriptors_for_clients);
  if (most == 0 || highest_ + 1 < most) return true;
  const int lowest = ::fcntl(listener_, F_DUPFD_CLOEXEC, 0);
  if (lowest >= 0) ::close(lowest);
  return lowest >= 0 && lowest < most;
}

void ServerImpl::stall(int error) {
  watch_listener(false);
  if (std::exchange(stalled_, true) || !hub_.options.on_accepting) return;
  hub_.options.on_accepting(error);
}

// All who waited have been accepted, or many.
void ServerImpl::unstall() {
  if (std::exchange(stalled_, false) && hub_.options.on_accepting) hub_.options.on_accepting(0);
}

SocketId ServerImpl::upgrade(RequestId request, std::string_view headers) {
  HttpSession* http = http_of(request);
  if (http == nullptr) return {};
  const SocketId socket = http->upgrade(request, headers);
  if (socket && hub_.stopping) close(socket, hub_.stop_code, hub_.stop_reason);
  return socket;
}

void ServerImpl::stop(std::uint16_t code, std::string_view reason, std::uint32_t deadline_ms,
                      std::function<void()> done) {
  if (hub_.stopping) return;
  close_listener();
  hub_.update_clock();
  hub_.stopping = true;
  hub_.stop_code = code;
  hub_.stop_reason = reason;
  stopped_ = std::move(done);
  stop_by_ms_ = hub_.now_ms() + deadline_ms;
  hub_.for_each([&](Connection& connection) {
    if (!connection.finishing()) connection.session().shut_down(code, reason);
  });
  hub_.schedule();  // `done` never runs inside stop()
}

void ServerImpl::check_stopped() {
  if (!stopped_ || !poll_.is_open()) return;
  if (hub_.open() > 0 && hub_.now_ms() < stop_by_ms_) return;
  hub_.for_each([](Connection& connection) {
    connection.session().on_broken("the server stops");
    connection.destroy();
  });
  hub_.end_turn();
  sweep_timer_.cancel();
  poll_.release();
  // Posted, for `done` may destroy the server.
  asio::post(loop_, std::move(stopped_));
  stopped_ = nullptr;
}

}  // namespace

std::unique_ptr<Server> make_server(asio::io_context& loop, ServerOptions options,
                                    ServerEvents& events) {
  return std::make_unique<ServerImpl>(loop, std::move(options), events);
}

}  // namespace hearth::net
