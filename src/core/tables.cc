#include "core/tables.h"

namespace hearth::core {

Agent* AgentTable::find(const AgentId& id) const {
  const auto found = agents_.find(id);
  return found == agents_.end() ? nullptr : found->second.get();
}

Agent& AgentTable::get(const AgentId& id) {
  std::unique_ptr<Agent>& agent = agents_[id];
  if (!agent) {
    agent = std::make_unique<Agent>();
    agent->id = id;
  }
  return *agent;
}

void AgentTable::drop_if_idle(Agent& agent) {
  if (!agent.idle()) return;
  const AgentId id = agent.id;  // the map's key must not live in what is erased
  agents_.erase(id);
}

ConnectionTable::~ConnectionTable() {
  for_each([](Connection& connection) { delete &connection; });
}

Connection* ConnectionTable::open(ConnectionId id, Agent* agent) {
  if (!id || find(id) != nullptr) return nullptr;
  auto* connection = new Connection();  // owned by by_id_ until erase
  connection->id = id;
  connection->agent = agent;
  if (agent != nullptr) {
    connection->previous = agent->last;
    (agent->last ? agent->last->next : agent->first) = connection;
    agent->last = connection;
  }
  by_id_.insert(id.value, connection);
  return connection;
}

void ConnectionTable::bind(Connection& connection, net::SocketId socket) {
  connection.socket = socket;
  by_socket_.insert(socket.value, &connection);
}

void ConnectionTable::unbind(Connection& connection) {
  by_socket_.erase(connection.socket.value);
  connection.socket = {};
}

void ConnectionTable::erase(Connection& connection) {
  unbind(connection);
  by_id_.erase(connection.id.value);
  if (Agent* agent = connection.agent) {
    (connection.previous ? connection.previous->next : agent->first) = connection.next;
    (connection.next ? connection.next->previous : agent->last) = connection.previous;
  }
  delete &connection;
}

}  // namespace hearth::core
