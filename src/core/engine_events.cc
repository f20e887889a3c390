// Events on their way to a host: waiting, sent, finished.
#include <cstring>

#include "core/engine.h"

namespace hearth::core {

unsigned Engine::slot_of(const Agent& agent) const {
  return wire::owning_slot(agent.id.bytes, supervisor_.slot_count());
}

Host* Engine::host_of(const AgentId& id) const {
  const Agent* agent = agents_.find(id);
  const unsigned slot = wire::owning_slot(id.bytes, supervisor_.slot_count());
  if (agent == nullptr || agent->host == nullptr) return supervisor_.active(slot);
  const bool between = agent->move && agent->move->asked;
  return agent->host->takes_events() && !between ? agent->host : nullptr;
}

unsigned Engine::least_loaded() const {
  unsigned best = 0;
  std::size_t best_count = SIZE_MAX;
  for (unsigned slot = 0; slot < mailboxes_.size(); ++slot) {
    Host* host = supervisor_.active(slot);
    const std::size_t count = mailboxes_[slot].pending.size() +
                              (host ? host->events().in_flight() : std::size_t{1} << 32);
    if (count < best_count) {
      best = slot;
      best_count = count;
    }
  }
  return best;
}

// Tells the host all about an agent that it does not hold, before the agent's first event there.
void Engine::wake(Host& host, Agent& agent, std::string_view cause) {
  if (agent.host == &host) return;
  ASSERT(agent.host == nullptr, "an agent is awake on one host at a time");
  agent.host = &host;
  agent.events_sent = 0;
  if (agent.name.empty()) agent.name = registry_.name_of(unique_key(agent.id), agent.id.hex());
  registry_.agent_opened(unique_key(agent.id), agent.id.hex(), agent.name);
  record(agent.id, LedgerKind::kWoke, cause,
         {.host = host.number, .number = static_cast<std::int64_t>(host.document->version)});

  std::uint32_t sockets = 0;
  const auto told = [](const Connection& each) { return each.hibernatable && !each.orphaned; };
  for (Connection* each = agent.first; each; each = each->next) sockets += told(*each) ? 1 : 0;
  wire::AgentWake message;
  message.agent = agent.id;
  message.name = agent.name;
  message.sockets = sockets;
  message.event_timeout_ms = agent.event_timeout_ms;
  if (agent.auto_response) {
    message.has_auto_response = 1;
    message.auto_request = agent.auto_response->request;
    message.auto_response = agent.auto_response->response;
  }
  host.send(message);
  note(&agent, "woke", 0, "on host " + std::to_string(host.number));
  for (Connection* each = agent.first; each; each = each->next) {
    if (!told(*each)) continue;
    host.send(wire::AgentSocket{agent.id, each->id, each->url, each->protocol, each->tags,
                                each->attachment, each->auto_response_ms});
  }
}

// False, and the event stays as it is, when the host has no place for it.
bool Engine::send_pending(Host& host, Event& event) {
  const std::optional<std::uint32_t> place = host.events().claim();
  if (!place) return false;
  if (event.agent != nullptr) {
    wake(host, *event.agent, cause_of(event.kind));
    ++event.agent->events_sent;
  }
  std::memcpy(event.frame.data() + kSlotOffset, &*place, sizeof *place);
  host.link().send_frame(event.frame);
  if (event.kind == EventKind::kFetch) {
    PendingRequest* request = requests_.find(event.subject);
    request->host = &host;
    if (!request->body.empty()) host.send(wire::BodyData{request->id, request->body});
    if (request->body_streamed && request->body_ended) host.send(wire::BodyEnd{request->id});
  }
  host.events().entry(*place) = std::move(event);
  host.events().filled(*place);
  return true;
}

bool Engine::stale(const Event& event) const {
  switch (event.kind) {
    case EventKind::kFetch:
      return requests_.find(event.subject) == nullptr;
    case EventKind::kSocketMessage:
    case EventKind::kSocketClosed: {
      const Connection* connection = connections_.find(ConnectionId{event.subject});
      return connection == nullptr || connection->orphaned;
    }
    default:
      return false;
  }
}

void Engine::pump(Host& host) {
  Mailbox& mailbox = mailboxes_[host.slot];
  while (!mailbox.pending.empty()) {
    Event& event = mailbox.pending.front();
    const std::size_t bytes = event.frame.size();
    if (stale(event)) {
      release(event);
    } else if (!send_pending(host, event)) {
      return;
    }
    mailbox.pending_bytes -= bytes;
    mailbox.pending.pop_front();
  }
  if (mailbox.pending.empty()) mailbox.pending.shrink_to_fit();
}

void Engine::let_go(const Event& event) {
  held_bytes_ -= event.frame.size();
  if (event.agent == nullptr) return;
  --event.agent->events_held;
  event.agent->bytes_held -= event.frame.size();
}

// The event is over, well or not: what it held is let go.
void Engine::release(Event& event) {
  Agent* agent = event.agent;
  if (event.kind == EventKind::kSocketMessage || event.kind == EventKind::kSocketClosed) {
    if (Connection* connection = connections_.find(ConnectionId{event.subject})) {
      if (event.kind == EventKind::kSocketMessage) --connection->messages_held;
      if (event.kind == EventKind::kSocketClosed) connection->close_told = true;
      if (connection->close_told && connection->messages_held == 0) {
        if (connection->socket) {
          finish_closing(*connection);
        } else {
          connections_.erase(*connection);
        }
      }
    }
  }
  let_go(event);
  if (agent != nullptr) agents_.drop_if_idle(*agent);
}

}  // namespace hearth::core
