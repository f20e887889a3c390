#include "net/hub_handover.h"

#include <sys/socket.h>

#include <utility>

#include "net/address.h"
#include "net/http_session.h"
#include "net/websocket_session.h"

namespace hearth::net {

void HubHandover::hold(bool held) {
  if (hub_.held == held) return;
  hub_.held = held;
  listener_.watch(!held);
  hub_.for_each([](Connection& connection) { connection.on_hold(); });
}

void HubHandover::show(const Show& show) {
  taken_.clear();
  hub_.update_clock();
  hub_.for_each([&](Connection& connection) {
    if (!connection.movable()) return;
    ConnectionState state;
    connection.save(state);
    const WebSocketSession* session = connection.session().web_socket();
    if (show(session != nullptr ? session->id() : SocketId{}, connection.descriptor(), state)) {
      taken_.push_back(connection.slot());
    }
  });
}

void HubHandover::let_go() {
  for (const std::uint32_t slot : std::exchange(taken_, {})) {
    if (Connection* connection = hub_.find(slot)) connection->let_go();
  }
}

SocketId HubHandover::adopt(int descriptor, ConnectionState state) {
  hub_.update_clock();
  Connection& connection = hub_.add(descriptor);
  SocketId socket;
  if (state.web_socket) {
    socket = SocketId{hub_.next_id(connection.slot())};
    auto session = std::make_unique<WebSocketSession>(connection, socket, state.window_bits);
    session->restore(state);
    connection.set_session(std::move(session));
  } else {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size);
    bool loopback = false;
    std::string address = address_text(peer, loopback);
    connection.set_session(std::make_unique<HttpSession>(connection, std::move(address), loopback));
    connection.set_deadline(hub_.now_ms() + hub_.options.keep_alive_timeout_ms);
  }
  connection.restore(state);
  return socket;
}

}  // namespace hearth::net
