// Agents that move from a host which leaves its slot to the one that has taken its place, each on
// its own between two of its events. An agent lives in one place: it is the leaving host's until
// that says that its database is closed, and from then on the slot's. What the two hosts' code
// wants of it meanwhile is told where it is (AgentElsewhere).
#include <algorithm>
#include <utility>

#include "core/engine.h"
#include "core/quiet.h"

namespace hearth::core {

namespace {
// A host that nothing is left on stays for so long: calls may be on their way to it.
constexpr std::int64_t kLingerMs = 250;
constexpr std::string_view kReplaced =
    "R413: the code was replaced, and this socket could not outlive it";
}  // namespace

Departure* Engine::departure_of(const Host& host) const {
  Departure* departure = mailboxes_[host.slot].departure.get();
  return departure != nullptr && departure->host == &host ? departure : nullptr;
}

std::string Engine::why_moved(const Host& host) const {
  if (stopping_) return "hearth was shut down";
  return host.why_replaced.empty() ? "the code was replaced" : host.why_replaced;
}

// The next host is not there yet. What waits for agents that stay is theirs from here on.
void Engine::on_leaving(Host& host) {
  Mailbox& mailbox = mailboxes_[host.slot];
  mailbox.departure = std::make_unique<Departure>();
  Departure& departure = *mailbox.departure;
  departure.host = &host;
  agents_.for_each([&](Agent& agent) {
    if (agent.host != &host) return;
    agent.move = std::make_unique<AgentMove>();
    departure.agents.push_back(agent.id);
  });
  departure.left = departure.agents.size();
  std::deque<Event> others;
  for (Event& event : mailbox.pending) {
    if (!stays_behind(mailbox, event.kind, event.agent, event.subject)) {
      others.push_back(std::move(event));
      continue;
    }
    ++mailbox.held_events;
    std::deque<Event>& held = event.agent != nullptr ? event.agent->move->held : departure.held;
    held.push_back(std::move(event));
  }
  mailbox.pending = std::move(others);
  for (const AgentId& id : departure.agents) ask_to_move(host, *agents_.find(id));
  watch_departures();
}

void Engine::ask_to_move(Host& host, Agent& agent) {
  agent.move->asked = true;
  host.send(wire::AgentMove{agent.id, quiet_ms(agent.move->refusals),
                            std::uint8_t{options_.supervisor.hurry}});
}

// Whether an event is for the leaving host: its agent is awake there, or it is of a socket that the
// worker accepted there.
bool Engine::stays_behind(const Mailbox& mailbox, EventKind kind, const Agent* agent,
                          std::uint64_t subject) const {
  if (agent != nullptr) return agent->move != nullptr;
  if (kind != EventKind::kSocketMessage && kind != EventKind::kSocketClosed) return false;
  const Connection* connection = connections_.find(ConnectionId{subject});
  return connection != nullptr && connection->host_number == mailbox.departure->host->number;
}

void Engine::deliver_behind(Mailbox& mailbox, Event event) {
  Host& host = *mailbox.departure->host;
  AgentMove* move = event.agent != nullptr ? event.agent->move.get() : nullptr;
  std::deque<Event>& held = move != nullptr ? move->held : mailbox.departure->held;
  const bool kept = (move != nullptr && move->asked) || !held.empty();
  if (!kept && host.state == HostState::kLeaving && send_pending(host, event)) return;
  mailbox.pending_bytes += event.frame.size();
  ++mailbox.held_events;
  held.push_back(std::move(event));
}

// False: the host has no place for more.
bool Engine::flush_behind(Mailbox& mailbox, std::deque<Event>& held) {
  while (!held.empty()) {
    Event& event = held.front();
    const std::size_t bytes = event.frame.size();
    if (stale(event)) {
      release(event);
    } else if (!send_pending(*mailbox.departure->host, event)) {
      return false;
    }
    mailbox.pending_bytes -= bytes;
    --mailbox.held_events;
    held.pop_front();
  }
  return true;
}

void Engine::pump_behind(Mailbox& mailbox) {
  Departure& departure = *mailbox.departure;
  if (mailbox.held_events == 0 || departure.host->state != HostState::kLeaving) return;
  if (!flush_behind(mailbox, departure.held)) return;
  for (const AgentId& id : departure.agents) {
    Agent* agent = agents_.find(id);
    if (agent == nullptr || agent->host != departure.host || agent->move->asked) continue;
    if (!flush_behind(mailbox, agent->move->held)) return;
  }
}

// ---- the answers

// It is closed there, and all that it sent has come. What was kept for it goes to the slot's host.
void Engine::on(Host& host, const wire::AgentMoved& message) {
  Agent* agent = known(host, message.agent) ? agents_.find(message.agent) : nullptr;
  if (agent == nullptr || agent->host != &host || !agent->move || !agent->move->asked) return;
  Mailbox& mailbox = mailboxes_[host.slot];
  cut_sockets(host, *agent);
  std::deque<Event> held = std::move(agent->move->held);
  agent->move.reset();
  agent->leave_host();
  --mailbox.departure->left;
  registry_.agent_closed(unique_key(message.agent), message.agent.hex());
  record(message.agent, LedgerKind::kMoved, why_moved(host), {.host = host.number});
  for (Event& event : held) hand_on(mailbox, host.slot, std::move(event));
  if (Agent* rest = agents_.find(message.agent)) agents_.drop_if_idle(*rest);
  if (!probes_.empty()) pump_probes();
}

// Those that cannot outlive what it was there.
void Engine::cut_sockets(const Host& host, const Agent& agent) {
  std::vector<Connection*> cut;
  for (Connection* each = agent.first; each; each = each->next) {
    if (!each->hibernatable && !each->orphaned && each->host_number == host.number) {
      cut.push_back(each);
    }
  }
  for (Connection* each : cut) orphan(*each, 1012, kReplaced);
}

void Engine::hand_on(Mailbox& mailbox, unsigned slot, Event event) {
  const std::size_t bytes = event.frame.size();
  --mailbox.held_events;
  Host* next = supervisor_.active(slot);
  const bool gone = stale(event);
  if (gone) release(event);
  if (gone || (next != nullptr && mailbox.pending.empty() && send_pending(*next, event))) {
    mailbox.pending_bytes -= bytes;
    return;
  }
  mailbox.pending.push_back(std::move(event));
}

// Something is at work there: it goes on, gets what was kept, and is asked again.
void Engine::on(Host& host, const wire::AgentStays& message) {
  Agent* agent = known(host, message.agent) ? agents_.find(message.agent) : nullptr;
  if (agent == nullptr || agent->host != &host || !agent->move || !agent->move->asked) return;
  agent->move->asked = false;
  ++agent->move->refusals;
  agent->move->ask_again_ms = world_.clock.steady_ms() + kAskAgainMs;
  if (host.state == HostState::kLeaving) flush_behind(mailboxes_[host.slot], agent->move->held);
}

// ---- while any host leaves

void Engine::watch_departures() {
  if (std::exchange(departures_watched_, true)) return;
  departure_timer_ = world_.loop.after(kLookAgainMs, [this] { look_at_departures(); });
}

void Engine::look_at_departures() {
  departures_watched_ = false;
  bool any = false;
  for (Mailbox& mailbox : mailboxes_) {
    if (!mailbox.departure) continue;
    any = true;
    Host& host = *mailbox.departure->host;
    on_batch_end(host);
    if (host.state == HostState::kLeaving) look_at_departure(mailbox, host);
  }
  if (any) watch_departures();
}

void Engine::look_at_departure(Mailbox& mailbox, Host& host) {
  Departure& departure = *mailbox.departure;
  const std::int64_t now_ms = world_.clock.steady_ms();
  std::erase_if(departure.agents, [&](const AgentId& id) {
    Agent* agent = agents_.find(id);
    if (agent == nullptr || agent->host != &host) return true;
    const AgentMove& move = *agent->move;
    if (!move.asked && move.held.empty() && now_ms >= move.ask_again_ms) ask_to_move(host, *agent);
    return false;
  });
  if (!is_empty(departure)) {
    departure.empty_since_ms = -1;
  } else if (departure.empty_since_ms < 0) {
    departure.empty_since_ms = now_ms;
  } else if (now_ms - departure.empty_since_ms >= kLingerMs) {
    departure.empty_since_ms = -1;
    supervisor_.let_end(host);
  }
}

// Nothing of the core's is left there. Whether anything else is, it says itself.
bool Engine::is_empty(const Departure& departure) {
  Host& host = *departure.host;
  if (departure.left > 0 || host.events().in_flight() > 0 || !departure.held.empty()) return false;
  bool empty = true;
  requests_.for_each([&](const PendingRequest& request) {
    if (request.host == &host) empty = false;
  });
  if (!empty) return false;
  connections_.for_each([&](const Connection& each) {
    const bool lasts = !each.hibernatable || each.early;
    if (each.host_number == host.number && lasts && !each.orphaned) empty = false;
  });
  return empty;
}

// ---- its end

// What was kept for agents goes to the slot's next host, after what they had been sent.
std::deque<Event> Engine::take_held(Host& host) {
  Departure* departure = departure_of(host);
  if (departure == nullptr) return {};
  Mailbox& mailbox = mailboxes_[host.slot];
  std::deque<Event> all = std::move(departure->held);
  for (const AgentId& id : departure->agents) {
    Agent* agent = agents_.find(id);
    if (agent == nullptr || agent->host != &host) continue;
    for (Event& event : agent->move->held) all.push_back(std::move(event));
    agent->move.reset();
  }
  ASSERT(mailbox.held_events == all.size(), "an event is kept for an agent that is not there");
  for (const Event& event : all) mailbox.pending_bytes -= event.frame.size();
  mailbox.held_events = 0;
  mailbox.departure.reset();
  return all;
}

}  // namespace hearth::core
