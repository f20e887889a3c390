// The network as the core sees it: HTTP/1.1 requests and WebSocket messages come in as events,
// answers go out as commands, and no Asio or Beast type shows. The server owns every client socket,
// its parser and its buffers. It runs on the one event-loop thread of the core: events are raised
// from that thread, commands are called on it, and a command may be called inside an event.
//
// What always holds: requests of one connection are raised in order and answered in order, whatever
// order the answers come in; sends made in one turn of the loop leave in one write; an id that is
// no longer known is ignored, never misdirected.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"

namespace boost::asio {
class io_context;
}

namespace hearth::net {

// One client's WebSocket or one connection slot, with a generation; the server allocates it.
using SocketId = StrongId<struct SocketTag>;

enum class MessageKind : std::uint8_t { kAsciiText = 0, kText = 1, kBinary = 2 };

// A request's head. Views live as long as the event.
struct Request {
  RequestId id;
  std::string_view method;
  std::string url;           // absolute: scheme, Host, target; origin-form targets only
  std::string_view target;   // as sent
  std::string_view headers;  // packed: name NUL value NUL …, names as the client wrote them
  std::string_view client_address;
  bool upgrade = false;  // a well-formed WebSocket opening handshake (RFC 6455 section 4.2.1)
  bool has_body = false;
  bool body_complete = false;  // `body` is all of it
  std::string_view body;       // what has arrived with the head
};

// Why on_socket_closed says 1006: the connection ended without a close frame, by a reset or not; or
// pings were not answered.
inline constexpr std::string_view kResetReason = "the connection was reset";
inline constexpr std::string_view kVanishedReason = "the client left without a closing handshake";
inline constexpr std::string_view kNoPongReason = "the client did not answer a ping";
// Why 1013: see net/unfinished.h.
inline constexpr std::string_view kGivenUpReason =
    "R415: too much is held of messages that have not come whole";

class ServerEvents {
 public:
  virtual ~ServerEvents() = default;
  virtual void on_request(const Request& request) = 0;
  virtual void on_body(RequestId request, std::string_view data) = 0;
  virtual void on_body_end(RequestId request) = 0;
  // The client left, broke the protocol in the body, or passed a limit; nothing more comes for it.
  virtual void on_request_gone(RequestId request, std::string_view reason) = 0;
  // `bytes` of a streamed response were taken by the client's socket.
  virtual void on_response_taken(RequestId request, std::uint32_t bytes) = 0;

  virtual void on_message(SocketId socket, MessageKind kind, std::string_view data) = 0;
  // The client began the closing handshake, or broke the protocol (`clean` is false); nothing more
  // is read from it. False, the default, ends the socket at once. True keeps it open for the
  // answers to what came before: the handler then calls close(), and the server does after
  // close_timeout_ms. The client gets the code of close() when it began itself, the fault's when it
  // broke the protocol; on_socket_closed follows with what is given here.
  virtual bool on_socket_closing(SocketId, std::uint16_t, std::string_view, bool) { return false; }
  // Raised exactly once per socket, after which its id is unknown.
  virtual void on_socket_closed(SocketId socket, std::uint16_t code, std::string_view reason,
                                bool clean) = 0;
};

// The JSON for a request that cannot be taken, from the fault's code and one sentence.
using FaultWords = std::function<std::string(std::string_view code, std::string_view message)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8787;  // 0: the system picks; see port()
  // Not empty: a Unix socket at this path is listened on instead, open to this user alone. Its
  // clients have no address. It is removed at the end.
  std::filesystem::path unix_path{};
  std::size_t request_body_bytes_max = kRequestBodyBytesMax;
  std::size_t websocket_message_bytes_max = kWebSocketMessageBytesMax;
  std::size_t unfinished_bytes_max = kUnfinishedBytesMax;  // of messages that are not whole, in all
  std::uint32_t request_head_timeout_ms = kRequestHeadTimeoutMs;
  std::uint32_t keep_alive_timeout_ms = kKeepAliveTimeoutMs;
  std::uint32_t close_timeout_ms =
      kCloseHandshakeTimeoutMs;  // the closing handshake, either side's
  // A WebSocket from which nothing came for so long is pinged; if nothing comes for as long again,
  // it is closed (1006). 0: never.
  std::uint32_t ping_interval_ms = kPingIntervalMs;
  bool websocket_compression = true;
  FaultWords fault_body{};  // empty: code and message alone
  // No client is accepted while the lowest free descriptor is this one or higher. 0: any will do.
  std::uint32_t descriptors_for_clients = 0;
  // Accepting stopped for want of descriptors or memory (errno), and later goes on (0).
  std::function<void(int error)> on_accepting{};
};

struct ServerCounters {
  std::uint64_t connections_open = 0;
  std::uint64_t websockets_open = 0;
  std::uint64_t requests = 0;
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;
  std::uint64_t bytes_buffered = 0;     // waiting to be written, all sockets
  std::uint64_t messages_given_up = 0;  // that had not come whole: see net/unfinished.h
};

enum class SendResult { kSent, kBuffered, kUnknown, kOverflow };  // kOverflow: closed with 1013

class Handover;

class Server {
 public:
  virtual ~Server() = default;

  // Binds and listens. kConflict when the port is taken.
  virtual Status start() = 0;
  virtual std::uint16_t port() const = 0;
  // No new connections; those that are idle close; WebSockets get `code` and `reason`; what is
  // being answered finishes. `done` runs when the last is gone or at the deadline.
  virtual void stop(std::uint16_t code, std::string_view reason, std::uint32_t deadline_ms,
                    std::function<void()> done) = 0;

  // ---- answers to a request. `headers` packed as above; the server writes Content-Length or
  // chunked, Date, Connection, and drops hop-by-hop headers and the body where HEAD, 204 or 304
  // ask.
  virtual void respond(RequestId request, std::uint16_t status, std::string_view status_text,
                       std::string_view headers, std::string_view body) = 0;
  virtual void respond_streamed(RequestId request, std::uint16_t status,
                                std::string_view status_text, std::string_view headers) = 0;
  virtual void respond_data(RequestId request, std::string_view data) = 0;
  virtual void respond_end(RequestId request) = 0;
  // Cuts a response that cannot be finished: the connection closes without the last chunk.
  virtual void respond_abort(RequestId request) = 0;
  // Completes the opening handshake with 101. 0 when the client is gone already.
  virtual SocketId upgrade(RequestId request, std::string_view headers) = 0;
  // The consumer of a streamed request body has room for `bytes` more; reading goes on.
  virtual void body_credit(RequestId request, std::uint32_t bytes) = 0;

  // ---- WebSockets
  virtual SendResult send(SocketId socket, MessageKind kind, std::string_view data) = 0;
  // Starts the closing handshake; what was sent before leaves first.
  virtual void close(SocketId socket, std::uint16_t code, std::string_view reason) = 0;
  // Backpressure from within: a paused socket is not read (control frames neither).
  virtual void pause(SocketId socket) = 0;
  virtual void resume(SocketId socket) = 0;

  virtual ServerCounters counters() const = 0;
  // For an upgrade (net/handover.h); null where sockets cannot be handed over.
  virtual Handover* handover() { return nullptr; }
};

std::unique_ptr<Server> make_server(boost::asio::io_context& loop, ServerOptions options,
                                    ServerEvents& events);

}  // namespace hearth::net
