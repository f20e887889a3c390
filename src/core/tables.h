// What the core remembers between events: agents that are awake or have sockets, and their
// WebSockets. A Connection outlives the host whose code accepted it; an Agent is kept while it has
// a socket, an event on its way, or a home on some host. Loop thread; owned by the Engine.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/flat_map.h"
#include "core/host.h"
#include "core/moves.h"
#include "net/server.h"

namespace hearth::core {

struct Connection;

struct AutoResponse {
  std::string request;
  std::string response;
};

struct Agent {
  AgentId id;
  std::string name;
  Host* host = nullptr;           // where it is awake
  std::uint64_t events_sent = 0;  // to that host, since it was woken there
  bool working = false;           // there, beyond its events
  std::uint8_t resumed = 0;       // told to go on so often, and nothing heard of it since
  std::uint32_t events_held = 0;  // on their way: pending, or in flight
  bool crowded = false;           // it had more than its share: some of its sockets are not read
  std::size_t bytes_held = 0;     // their frames'
  Connection* first = nullptr;    // its sockets, in the order in which they came
  Connection* last = nullptr;
  std::unique_ptr<AutoResponse> auto_response;
  std::uint32_t event_timeout_ms = 0;                // of its WebSocket handlers; 0: none
  std::unique_ptr<AgentMove> move;                   // while its host leaves the slot
  std::unique_ptr<std::deque<ConnectionId>> paused;  // while crowded, in the order of their pause

  bool idle() const { return host == nullptr && events_held == 0 && first == nullptr; }
  // It is awake nowhere.
  void leave_host() {
    host = nullptr;
    events_sent = 0;
    working = false;
    resumed = 0;
  }
};

// A socket whose client is not there yet: what code sent before the 101.
struct EarlySends {
  struct Send {
    net::MessageKind kind;
    std::string data;
  };
  std::vector<Send> sends;
  std::size_t bytes = 0;
  std::uint16_t close_code = 0;  // code closed it already
  std::string close_reason;
};

struct Connection {
  ConnectionId id;
  net::SocketId socket;    // 0: not upgraded yet, or closed
  Agent* agent = nullptr;  // null: the worker's own
  Connection* previous = nullptr;
  Connection* next = nullptr;
  std::int64_t auto_response_ms = -1;
  std::uint32_t host_number = 0;  // whose code accepted it
  bool hibernatable = false;
  bool closed = false;                // its SocketClosed is on its way
  bool closed_by_agent = false;       // which said so first
  bool close_told = false;            // and its handler has ended
  std::uint16_t closing_code = 0;     // the client closes it: it is held open for answers
  std::uint32_t messages_held = 0;    // on their way to the code
  std::uint64_t messages = 0;         // that have come from the client
  std::int64_t last_message_ms = -1;  // steady
  bool orphaned = false;              // the code that knew it is gone: its end is told to nobody
  bool paused = false;                // not read, until its host has room
  std::string url;
  std::string protocol;
  std::string tags;  // packed
  std::string attachment;
  std::unique_ptr<EarlySends> early;

  unsigned slot() const { return static_cast<unsigned>(id.value >> 45); }
};

class AgentTable {
 public:
  Agent* find(const AgentId& id) const;
  Agent& get(const AgentId& id);
  // Forgets it unless something still holds it.
  void drop_if_idle(Agent& agent);
  std::size_t size() const { return agents_.size(); }
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (auto& [id, agent] : agents_) visit(*agent);
  }
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const auto& [id, agent] : agents_) visit(std::as_const(*agent));
  }

 private:
  std::unordered_map<AgentId, std::unique_ptr<Agent>> agents_;
};

class ConnectionTable {
 public:
  ~ConnectionTable();
  Connection* find(ConnectionId id) const { return by_id_.find(id.value); }
  Connection* find(net::SocketId socket) const { return by_socket_.find(socket.value); }
  // Null when the id is taken: the host that sent it is wrong.
  Connection* open(ConnectionId id, Agent* agent);
  void bind(Connection& connection, net::SocketId socket);
  void unbind(Connection& connection);
  void erase(Connection& connection);
  std::size_t size() const { return by_id_.size(); }
  // `visit(Connection&)`; it may erase none but the one it is given.
  template <typename Visit>
  void for_each(Visit&& visit) {
    std::vector<Connection*> all;
    all.reserve(by_id_.size());
    by_id_.for_each([&](Connection& connection) { all.push_back(&connection); });
    for (Connection* connection : all) visit(*connection);
  }

 private:
  FlatMap<Connection> by_id_;
  FlatMap<Connection> by_socket_;
};

}  // namespace hearth::core
