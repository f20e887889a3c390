// What holds clients back: bounds of one agent, of a host and of all hosts, past which sockets are
// not read and requests are refused. An agent that has more than its share has all its sockets
// paused at once, so that ten thousand clients cannot each add one more message; they are read
// again a few at a time, in turn, when it has room. What waits for others goes on meanwhile.
#include <algorithm>
#include <utility>

#include "core/engine.h"
#include "core/route_faults.h"

namespace hearth::core {

namespace {
// Handlers that end without saying anything leave their mark on the progress page alone.
constexpr std::uint32_t kLookMs = 10;
// At one look; the next are looked at when these have been read.
constexpr std::size_t kResumedAtOnce = 64;
// Sockets that closed while they were paused are not looked for before there are so many.
constexpr std::size_t kGoneKeptMax = 1024;
constexpr std::int64_t kToldAgainMs = 60'000;

Burden burden_of(const Agent& agent) {
  return {agent.events_held, agent.bytes_held};
}
Burden half(const Burden& whole) {
  return {whole.events / 2 + 1, whole.bytes / 2};
}
}  // namespace

std::size_t Engine::load(unsigned slot) const {
  std::size_t bytes = mailboxes_[slot].pending_bytes;
  if (Host* host = supervisor_.active(slot)) {
    bytes += host->events().retained_bytes() + host->link().buffered();
  }
  if (Host* host = supervisor_.leaving(slot)) {
    bytes += host->events().retained_bytes() + host->link().buffered();
  }
  return bytes;
}

bool Engine::crowded(unsigned slot) const {
  return load(slot) > options_.queue_bytes_max || pending(slot) >= options_.queue_events_max ||
         held_bytes_ > options_.queues_bytes_max;
}

Burden Engine::free_of(unsigned slot) const {
  const std::size_t waiting = pending(slot);
  const std::size_t bytes = load(slot);
  Host* host = supervisor_.active(slot);
  Burden free;
  if (host != nullptr) {
    free.events = kProgressSlots - host->events().in_flight();
  } else if (waiting < options_.queue_events_max) {
    free.events = options_.queue_events_max - waiting;
  }
  if (bytes < options_.queue_bytes_max) free.bytes = options_.queue_bytes_max - bytes;
  return free;
}

// After a message of the connection's, and before its first.
void Engine::pause_if_crowded(Connection& connection, unsigned slot) {
  if (connection.paused) return;
  if (crowded(slot)) return pause(connection, mailboxes_[slot].paused);
  Agent* agent = connection.agent;
  if (agent == nullptr || !exceeds(burden_of(*agent), share_of(free_of(slot)))) return;
  if (!agent->crowded) return hold_back(*agent, slot);
  pause(connection, *agent->paused);
}

void Engine::pause(Connection& connection, std::deque<ConnectionId>& list) {
  if (connection.paused || !connection.socket) return;
  connection.paused = true;
  if (list.size() > connections_.size() + kGoneKeptMax) {
    std::erase_if(list, [this](ConnectionId id) { return connections_.find(id) == nullptr; });
  }
  list.push_back(connection.id);
  server_->pause(connection.socket);
  if (std::exchange(room_watched_, true)) return;
  room_timer_ = world_.loop.after(kLookMs, [this] { look_for_room(); });
}

void Engine::hold_back(Agent& agent, unsigned slot) {
  agent.crowded = true;
  agent.paused = std::make_unique<std::deque<ConnectionId>>();
  mailboxes_[slot].crowded.push_back(agent.id);
  for (Connection* each = agent.first; each; each = each->next) pause(*each, *agent.paused);
  const std::int64_t now_ms = world_.clock.steady_ms();
  if (now_ms - crowding_told_ms_ < kToldAgainMs) return;
  crowding_told_ms_ = now_ms;
  const std::string name = label(agent);
  const std::string message = name + " has " + std::to_string(agent.events_held) +
                              " messages that it has not finished: its clients are not read until "
                              "it has";
  report_.tell({.level = Level::kWarn,
                .message = message,
                .code = kOverloadedCode,
                .agent = name,
                .fix = "Finish messages sooner than they come, or spread clients over agents."});
}

// As many as may well fit into `bytes`, at least one.
void Engine::resume_some(std::deque<ConnectionId>& paused, std::size_t bytes) {
  std::size_t left = std::clamp(bytes / kAgentBytesLeast, std::size_t{1}, kResumedAtOnce);
  while (!paused.empty() && left > 0) {
    Connection* connection = connections_.find(paused.front());
    paused.pop_front();
    if (connection == nullptr || !connection->paused) continue;
    connection->paused = false;
    if (!connection->socket) continue;
    server_->resume(connection->socket);
    --left;
  }
}

// False: it is not crowded any more.
bool Engine::resume_agent(Agent& agent, unsigned slot) {
  const Burden share = share_of(free_of(slot));
  if (exceeds(burden_of(agent), half(share))) return true;
  resume_some(*agent.paused, share.bytes - std::min(share.bytes, agent.bytes_held));
  if (!agent.paused->empty()) return true;
  agent.crowded = false;
  agent.paused.reset();
  return false;
}

void Engine::resume_if_room(unsigned slot) {
  Mailbox& mailbox = mailboxes_[slot];
  if (mailbox.paused.empty() && mailbox.crowded.empty()) return;
  const bool half_free = load(slot) <= options_.queue_bytes_max / 2 &&
                         pending(slot) <= options_.queue_events_max / 2 &&
                         held_bytes_ <= options_.queues_bytes_max / 2;
  if (half_free) resume_some(mailbox.paused, options_.queue_bytes_max / 2);
  if (crowded(slot)) return;
  std::erase_if(mailbox.crowded, [&](const AgentId& id) {
    Agent* agent = agents_.find(id);
    return agent == nullptr || !agent->crowded || !resume_agent(*agent, slot);
  });
}

void Engine::look_for_room() {
  room_watched_ = false;
  for (unsigned slot = 0; slot < mailboxes_.size(); ++slot) {
    sweep(slot);
    const Mailbox& mailbox = mailboxes_[slot];
    room_watched_ = room_watched_ || !mailbox.paused.empty() || !mailbox.crowded.empty();
  }
  if (!room_watched_) return;
  room_timer_ = world_.loop.after(kLookMs, [this] { look_for_room(); });
}

// The fault of a request whose URL names an agent that has more than its share.
std::optional<Fault> Engine::busy_agent(std::string_view url, unsigned slot) const {
  if (mailboxes_[slot].crowded.empty()) return std::nullopt;
  const std::optional<AgentPath> path = agent_path(url);
  const Route* route = path ? router_.route(path->segment) : nullptr;
  if (route == nullptr) return std::nullopt;
  for (const AgentId& id : mailboxes_[slot].crowded) {
    const Agent* agent = id.name_space == route->name_space ? agents_.find(id) : nullptr;
    if (agent == nullptr || agent->name != path->name) continue;
    return overloaded(label(*agent) + kHasTooMuch);
  }
  return std::nullopt;
}

}  // namespace hearth::core
