// WebSockets: messages to the agents that own them, sends back, and the ends of both.
#include <cstring>
#include <utility>

#include "core/engine.h"
#include "core/route_faults.h"

namespace hearth::core {

namespace {
// What code may send before its 101, on one socket.
constexpr std::size_t kEarlyBytesMax = 1024 * 1024;
constexpr std::uint32_t kEarlySweepMs = 30'000;
// A client that closes this soon after its last message may still wait for the answer; and when all
// its handlers have ended, what they sent may still wait for the disk.
constexpr std::int64_t kAnswerMs = 1'000;
constexpr std::uint32_t kGateMs = 30;
// What handlers are told of a connection that ended without a close frame, in the platform's words.
constexpr std::string_view kPlatformVanished =
    "WebSocket disconnected without sending Close frame.";
constexpr std::string_view kProtocolFault = "R411: ";

bool broke_the_protocol(std::string_view reason, bool clean) {
  return !clean && reason.starts_with(kProtocolFault);
}
}  // namespace

// ---- from clients

void Engine::on_message(net::SocketId socket, net::MessageKind kind, std::string_view data) {
  Connection* connection = connections_.find(socket);
  if (connection == nullptr || connection->orphaned) return;
  ++connection->messages;
  if (auto_responded(*connection, kind, data)) return;
  Agent* agent = connection->agent;
  const unsigned slot = agent ? slot_of(*agent) : connection->slot();
  wire::SocketMessage message;
  message.connection = connection->id;
  message.kind = static_cast<std::uint8_t>(kind);
  message.data = data;
  ++connection->messages_held;
  connection->last_message_ms = world_.clock.steady_ms();
  deliver(slot, EventKind::kSocketMessage, agent, connection->id.value, message,
          connection->messages);
  pause_if_crowded(*connection, slot);
}

// The platform's automatic answer, which wakes nobody.
bool Engine::auto_responded(Connection& connection, net::MessageKind kind, std::string_view data) {
  Agent* agent = connection.agent;
  if (agent == nullptr || !agent->auto_response || !connection.hibernatable) return false;
  if (kind == net::MessageKind::kBinary || data != agent->auto_response->request) return false;
  connection.auto_response_ms = world_.clock.wall_ms();
  server_->send(connection.socket, net::MessageKind::kText, agent->auto_response->response);
  if (agent->host != nullptr) {
    agent->host->send(wire::AutoResponded{connection.id, connection.auto_response_ms});
  }
  return true;
}

// The client closes right after a message: the code learns of both, and the socket stays open until
// the answers have left.
bool Engine::on_socket_closing(net::SocketId socket, std::uint16_t code, std::string_view reason,
                               bool clean) {
  Connection* connection = connections_.find(socket);
  if (connection == nullptr || connection->orphaned || connection->closed) return false;
  const bool answers_may_come =
      connection->messages_held > 0 ||
      (connection->last_message_ms >= 0 &&
       world_.clock.steady_ms() - connection->last_message_ms < kAnswerMs);
  if (!answers_may_come) return false;
  connection->closing_code = code == 1005 || code == 1006 ? 1000 : code;
  const ConnectionId id = connection->id;
  end_connection(*connection, code, reason, clean);
  look_for_end(id);
  return true;
}

// A handler that ends without saying anything leaves its mark on the progress page alone, and no
// frame comes with it: the page is looked at until the handlers of a closing socket have ended.
void Engine::look_for_end(ConnectionId id) {
  world_.loop.after(kGateMs, [this, alive = std::weak_ptr(alive_), id] {
    Connection* closing = alive.expired() ? nullptr : connections_.find(id);
    if (closing == nullptr || !closing->socket) return;
    if (closing->close_told && closing->messages_held == 0) return;
    const unsigned slot = closing->agent ? slot_of(*closing->agent) : closing->slot();
    sweep(slot);
    look_for_end(id);
  });
}

void Engine::finish_closing(Connection& connection) {
  if (connection.closing_code == 0) return;
  world_.loop.after(kGateMs, [this, alive = std::weak_ptr(alive_), id = connection.id] {
    Connection* closing = alive.expired() ? nullptr : connections_.find(id);
    if (closing == nullptr || !closing->socket) return;
    server_->close(closing->socket, closing->closing_code, {});
  });
}

void Engine::on_socket_closed(net::SocketId socket, std::uint16_t code, std::string_view reason,
                              bool clean) {
  Connection* connection = connections_.find(socket);
  if (connection == nullptr) return;
  connections_.unbind(*connection);
  if (broke_the_protocol(reason, clean)) {
    report_.say(Level::kWarn, std::string(reason) + " (a client" +
                                  (connection->agent ? " of " + label(*connection->agent) : "") +
                                  " is closed with " + std::to_string(code) + ")");
  }
  if (reason == net::kNoPongReason) {
    const std::string agent = connection->agent ? label(*connection->agent) : std::string();
    const std::string message = "a WebSocket" + (agent.empty() ? "" : " of " + agent) +
                                " is closed: " + std::string(reason);
    report_.tell({.level = Level::kInfo,
                  .message = message,
                  .agent = agent,
                  .connection = connection->id.value});
  }
  end_connection(*connection, code, reason, clean);
}

// Tells the code that the socket is gone. The connection stays until its handler has run: an agent
// that must be woken for it is to find the socket among its own.
void Engine::end_connection(Connection& connection, std::uint16_t code, std::string_view reason,
                            bool clean) {
  if (!connection.closed && !connection.orphaned) {
    const bool by_hearth = stopping_ || code == 1013;  // 1013: the client reads too slowly
    note_closed(connection, code,
                connection.closed_by_agent ? "by the agent"
                : !clean                   ? "the connection broke"
                : by_hearth                ? "by hearth"
                                           : "by the client",
                reason);
  }
  connection.early.reset();
  early_.erase(connection.id);
  Agent* agent = connection.agent;
  if (!connection.closed) {
    note(agent, "closed", connection.id.value, std::to_string(code) + " " + std::string(reason));
  }
  const unsigned slot = agent ? slot_of(*agent) : connection.slot();
  const bool nobody = stopping_ && supervisor_.active(slot) == nullptr;
  if (connection.orphaned || nobody) return erase(connection);
  if (std::exchange(connection.closed, true)) {
    // Told when it began to close. Whichever comes last, this or the end of that handler, ends it.
    if (connection.close_told && connection.messages_held == 0) erase(connection);
    return;
  }
  wire::SocketClosed message;
  message.connection = connection.id;
  message.code = code;
  message.reason = reason;
  message.clean =
      static_cast<std::uint8_t>(clean ? wire::CloseKind::kClean : wire::CloseKind::kBroken);
  if (broke_the_protocol(reason, clean)) {
    message.clean = static_cast<std::uint8_t>(wire::CloseKind::kProtocolError);
    message.reason.remove_prefix(kProtocolFault.size());
  } else if (reason == net::kResetReason || reason == net::kVanishedReason) {
    message.reason = kPlatformVanished;
  }
  deliver(slot, EventKind::kSocketClosed, agent, connection.id.value, message);
}

void Engine::erase(Connection& connection) {
  Agent* agent = connection.agent;
  early_.erase(connection.id);
  connections_.erase(connection);
  if (agent != nullptr) agents_.drop_if_idle(*agent);
}

// The code that knew the socket is gone for good: the client is told, nobody else.
void Engine::orphan(Connection& connection, std::uint16_t code, std::string_view reason) {
  if (!connection.closed) note_closed(connection, code, "by hearth", reason);
  connection.orphaned = true;
  if (!connection.socket) return erase(connection);
  server_->close(connection.socket, code, reason);
}

// ---- from hosts

void Engine::on(Host& host, const wire::SocketOpen& message) {
  const bool of_worker = (message.flags & wire::kSocketOfWorker) != 0;
  if (!of_worker && !known(host, message.agent)) return;
  if (message.attachment.size() > 2 * kAttachmentBytesMax ||
      message.tags.size() > kTagsPerSocketMax * (kTagBytesMax + 1)) {
    return host.kill("it sent a socket with more tags or attachment than there may be");
  }
  Agent* agent = of_worker ? nullptr : &agents_.get(message.agent);
  Connection* connection = connections_.open(message.connection, agent);
  if (connection == nullptr) return host.kill("it used a socket's id twice");
  connection->host_number = host.number;
  connection->hibernatable = (message.flags & wire::kSocketHibernatable) != 0;
  connection->tags = message.tags;
  connection->attachment = message.attachment;
  connection->early = std::make_unique<EarlySends>();
  early_.emplace(message.connection, world_.clock.steady_ms());
  if (early_.size() == 1) {
    world_.loop.cancel(early_timer_);
    early_timer_ = world_.loop.after(kEarlySweepMs, [this] { sweep_early(); });
  }
}

// Sockets that code accepted and whose 101 never came.
void Engine::sweep_early() {
  const std::int64_t before_ms = world_.clock.steady_ms() - options_.early_ms_max;
  std::vector<ConnectionId> late;
  for (const auto& [id, since_ms] : early_) {
    if (since_ms < before_ms) late.push_back(id);
  }
  for (const ConnectionId id : late) {
    if (Connection* connection = connections_.find(id)) {
      end_connection(*connection, 1006, "no client came for this socket", false);
    }
  }
  if (!early_.empty()) {
    early_timer_ = world_.loop.after(kEarlySweepMs, [this] { sweep_early(); });
  }
}

void Engine::on(Host& host, const wire::RespondUpgrade& message) {
  PendingRequest* request = request_of(host, message.request);
  Connection* connection = connections_.find(message.connection);
  if (connection != nullptr && (connection->socket || connection->closed)) connection = nullptr;
  if (request == nullptr) {
    // The client left first.
    if (connection != nullptr) end_connection(*connection, 1006, "", false);
    return;
  }
  if (connection == nullptr || !request->upgrade) {
    Fault fault =
        fault_of("R405", 500,
                 request->upgrade ? "the socket of the worker's 101 response is not open any more"
                                  : "the worker answered 101 to a request for no WebSocket");
    fault.close = 4500;
    return answer_and_close(*request, fault);
  }
  const Agent* agent = connection->agent;
  const bool crowded = agent != nullptr && agent->crowded;
  // A URL of the worker's own does not say whose socket it will be: that is known only here.
  if (crowded && !router_.slot_of(request->url, supervisor_.slot_count())) {
    const Fault fault = overloaded(label(*agent) + kHasTooMuch);
    end_connection(*connection, 1006, "", false);
    return answer_and_close(*request, fault);
  }
  connection->url = std::move(request->url);
  connection->protocol = header_value(message.headers, "sec-websocket-protocol");
  close_request(*request);
  const net::SocketId socket = server_->upgrade(message.request, message.headers);
  if (!socket) return end_connection(*connection, 1006, "", false);
  connections_.bind(*connection, socket);
  if (crowded) pause(*connection, *connection->agent->paused);
  note(connection->agent, "connected", connection->id.value, connection->url);
  if (connection->agent != nullptr) {
    record(connection->agent->id, LedgerKind::kSocketOpened, path_of(connection->url),
           {.number = static_cast<std::int64_t>(connection->id.value)});
  }
  flush_early(*connection);
}

// What code sent before the 101 leaves right after it.
void Engine::flush_early(Connection& connection) {
  early_.erase(connection.id);
  const std::unique_ptr<EarlySends> early = std::move(connection.early);
  if (!early) return;
  for (const EarlySends::Send& send : early->sends) {
    server_->send(connection.socket, send.kind, send.data);
  }
  if (early->close_code != 0) {
    server_->close(connection.socket, early->close_code, early->close_reason);
  }
}

void Engine::send_to(Connection& connection, net::MessageKind kind, std::string_view data) {
  if (connection.socket) {
    server_->send(connection.socket, kind, data);  // past its bound the server closes it: 1013
    return;
  }
  if (!connection.early || connection.early->close_code != 0) return;
  connection.early->bytes += data.size();
  if (connection.early->bytes > kEarlyBytesMax) {
    connection.early->close_code = 1013;
    connection.early->close_reason = "too much was sent before the socket was open";
    return;
  }
  connection.early->sends.push_back({kind, std::string(data)});
}

void Engine::on(Host&, const wire::Send& message) {
  if (Connection* connection = connections_.find(message.connection)) {
    send_to(*connection, static_cast<net::MessageKind>(message.kind), message.data);
  }
}

void Engine::on(Host& host, const wire::SendMany& message) {
  if (message.connections.size() % sizeof(std::uint64_t) != 0) {
    return host.kill("it sent a malformed SendMany frame");
  }
  for (std::size_t at = 0; at < message.connections.size(); at += sizeof(std::uint64_t)) {
    ConnectionId id;
    std::memcpy(&id.value, message.connections.data() + at, sizeof id.value);
    if (Connection* connection = connections_.find(id)) {
      send_to(*connection, static_cast<net::MessageKind>(message.kind), message.data);
    }
  }
}

void Engine::on(Host&, const wire::CloseSocket& message) {
  Connection* connection = connections_.find(message.connection);
  if (connection == nullptr) return;
  if (!connection->closed) connection->closed_by_agent = true;
  if (connection->socket) {
    server_->close(connection->socket, message.code, message.reason);
  } else if (connection->early && connection->early->close_code == 0) {
    connection->early->close_code = message.code == 0 ? 1000 : message.code;
    connection->early->close_reason = message.reason;
  }
}

void Engine::on(Host& host, const wire::Attach& message) {
  if (message.attachment.size() > 2 * kAttachmentBytesMax) {
    return host.kill("it sent a larger attachment than there may be");
  }
  if (Connection* connection = connections_.find(message.connection)) {
    connection->attachment = message.attachment;
    if (connection->attachment.capacity() > 2 * connection->attachment.size() + 64) {
      connection->attachment.shrink_to_fit();
    }
  }
}

void Engine::on(Host& host, const wire::AutoResponse& message) {
  if (!known(host, message.agent)) return;
  Agent& agent = agents_.get(message.agent);
  if (message.enabled == 0) {
    agent.auto_response.reset();
    return agents_.drop_if_idle(agent);
  }
  agent.auto_response = std::make_unique<core::AutoResponse>(
      core::AutoResponse{std::string(message.request), std::string(message.response)});
}

void Engine::on(Host& host, const wire::EventTimeout& message) {
  if (!known(host, message.agent)) return;
  Agent& agent = agents_.get(message.agent);
  agent.event_timeout_ms = message.timeout_ms;
  agents_.drop_if_idle(agent);
}

}  // namespace hearth::core
