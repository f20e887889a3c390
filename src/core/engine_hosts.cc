// Hosts: their frames, their promotion, and what their end leaves behind.
#include <algorithm>
#include <utility>

#include "core/engine.h"

namespace hearth::core {

namespace {
constexpr std::uint32_t kWatchdogMs = 5'000;
// Of the time that a loop may be blocked: for so much longer it may have to wait for a CPU.
constexpr std::int64_t kStarvedTimesMax = 2;

std::uint32_t watch_period_ms(std::uint32_t blocked_ms_max) {
  return std::clamp(blocked_ms_max / 5, 100U, kWatchdogMs);
}
}  // namespace

// One frame's message to the engine's overload for it.
struct FromHost {
  Engine& engine;
  Host& host;
  template <typename Message>
  void on(const Message& message) {
    engine.on(host, message);
  }
  void on(const wire::Ready&) {}
  void on(const wire::LoadFailed&) {}
  void on(const wire::Drained&) {}
  void on(const wire::NotQuiet&) {}
  void on(const wire::Leaving&) {}
  void on(const wire::AgentRehearsed&) {}  // only hosts of rehearsals are asked
};

Status Engine::on_frame(Host& host, std::string_view frame) {
  FromHost from{*this, host};
  return wire::dispatch<wire::Direction::kToCore>(frame, from);
}

bool Engine::known(Host& host, const AgentId& agent) {
  if (agent.name_space < deployment_.namespaces.size()) return true;
  host.kill("it named an agent of a namespace that there is not");
  return false;
}

void Engine::on_batch_end(Host& host) {
  host.events().sweep([this](Event& event) { release(event); });
  if (departure_of(host) != nullptr) {
    pump_behind(mailboxes_[host.slot]);
  } else if (supervisor_.active(host.slot) == &host) {
    pump(host);
  } else {
    return;
  }
  resume_if_room(host.slot);
}

// Handlers that end without saying anything leave their mark on the progress page alone.
void Engine::sweep(unsigned slot) {
  if (Host* host = supervisor_.active(slot)) on_batch_end(*host);
  if (Host* host = supervisor_.leaving(slot)) on_batch_end(*host);
}

void Engine::on_room(Host& host) {
  if (host.has_slot()) resume_if_room(host.slot);
}

void Engine::on_promoted(Host& host) {
  introduce(host);
  note_replayed(host);
  pump(host);
  resume_agents(host);
  resume_if_room(host.slot);
  pump_probes();
  if (serving_) return;
  for (unsigned slot = 0; slot < supervisor_.slot_count(); ++slot) {
    if (slot != host.slot && supervisor_.active(slot) == nullptr) return;
  }
  serving_ = true;
  watch_hosts();
  watch_memory();
  cpu_limit_.start();
  turn_limit_.start();
  hooks_.on_serving();
  alarms_.start();
  arm_crons();
}

void Engine::on_stays(Host& host) {
  pump(host);
  resume_if_room(host.slot);
  pump_probes();
}

// Requests that wait for a host will not get one soon: they are told why. Messages keep waiting.
void Engine::on_unavailable(std::string_view) {
  for (unsigned slot = 0; slot < mailboxes_.size(); ++slot) {
    const std::optional<Fault> fault = unavailable_fault(slot);
    if (!fault) continue;
    for (const Event& event : mailboxes_[slot].pending) {
      if (event.kind != EventKind::kFetch) continue;
      if (PendingRequest* request = requests_.find(event.subject)) {
        answer_and_close(*request, *fault);
      }
    }
    // What is left of them in the queue is stale, and dropped when it is pumped.
  }
}

// On a machine with too much to do a loop that stands still may only be waiting for a CPU, and the
// next host would wait as long, with more to do.
std::int64_t Engine::starved_ms(const Host& host) const {
  const std::uint64_t waited_ns = host.main_thread_waited_ns() - host.heartbeat_waited_ns;
  const auto waited_ms = static_cast<std::int64_t>(waited_ns / 1'000'000);
  return std::min<std::int64_t>(waited_ms, kStarvedTimesMax * blocked_ms_max());
}

// R409: a host whose loop has not turned for too long is ended, alone; its sockets stay and the
// next host goes on. A loop that only waits turns when it is nudged. Those that have no event of
// the core's are watched too: a timer may block them, or a call from another host. So are those
// that drain, for agents wait until they have, and the spare, for they would wait for it next. How
// long a bundle may take to load is the supervisor's.
void Engine::look_for_blocked_hosts() {
  std::vector<Host*> watched;
  supervisor_.for_each_host([&](Host& host) {
    if (host.state != HostState::kStarting && host.state != HostState::kEnded) {
      watched.push_back(&host);
    }
  });
  for (Host* host : watched) {
    const std::int64_t now_ms = host->running_clock_ms();
    const std::uint64_t heartbeat = host->heartbeat();
    if (!host->heartbeat_seen || heartbeat != *host->heartbeat_seen) {
      host->heartbeat_seen = heartbeat;
      host->heartbeat_since_ms = now_ms;
      host->heartbeat_waited_ns = host->main_thread_waited_ns();
    } else if (now_ms - host->heartbeat_since_ms - starved_ms(*host) >= blocked_ms_max()) {
      end_blocked(*host, "R409: its event loop was blocked for " +
                             std::to_string(blocked_ms_max() / 1'000) + " seconds");
    }
    // Of no socket: a host does nothing for it but wake.
    host->send(wire::AutoResponded{ConnectionId{}, 0});
  }
  watch_hosts();
}

void Engine::watch_hosts() {
  if (blocked_ms_max() == 0) return;
  watchdog_timer_ =
      world_.loop.after(watch_period_ms(blocked_ms_max()), [this] { look_for_blocked_hosts(); });
}

// ---- the end of a host

void Engine::on_slot_lost(Host& host) {
  const bool had_left = departure_of(host) != nullptr;
  std::deque<Event> held = take_held(host);
  const std::vector<LostAgent> lost = lose_agents(host);
  lose_events(host, lost, std::move(held));
  lose_requests(host);
  lose_connections(host);
  copies_.on_host_lost(host);
  supervisor_.for_each_host([&](Host& other) {
    if (&other != &host && other.has_slot()) other.send(wire::PeerGone{host.number});
  });
  // The next one is there already, and no promotion follows.
  Host* next = had_left ? supervisor_.active(host.slot) : nullptr;
  if (next == nullptr) return;
  note_replayed(*next);
  pump(*next);
  resume_agents(*next);
  resume_if_room(host.slot);
  pump_probes();
}

// Whoever was awake there is asked for its alarm by the next host: the last word may be missing.
std::vector<Engine::LostAgent> Engine::lose_agents(Host& host) {
  std::vector<Agent*> lost;
  agents_.for_each([&](Agent& agent) {
    if (agent.host == &host) lost.push_back(&agent);
  });
  std::vector<LostAgent> told;
  for (Agent* agent : lost) {
    record(agent->id, host.drained ? LedgerKind::kMoved : LedgerKind::kReset,
           host.drained ? why_moved(host) : host.ending(), {.host = host.number});
    told.push_back({agent->id, agent->name, agent->working, agent->resumed});
    agent->leave_host();
    if (!stopping_ && !host.drained) probe(agent->id);
    if ((stopping_ || leaving_) && host.drained) {
      registry_.agent_closed(unique_key(agent->id), agent->id.hex());
    }
  }
  std::vector<AgentId> asked(probing_.begin(), probing_.end());
  for (const AgentId& id : asked) {
    if (wire::owning_slot(id.bytes, supervisor_.slot_count()) == host.slot) {
      probing_.erase(id);
      probe(id);
    }
  }
  for (Agent* agent : lost) agents_.drop_if_idle(*agent);
  return told;
}

// Events that had not begun go back to the front of the queue, in their order; the others are over.
void Engine::lose_events(Host& host, const std::vector<LostAgent>& lost, std::deque<Event> held) {
  const Culprit culprit = culprit_of(host, lost);
  auto rest = host.events().take_unfinished([this](Event& event) { release(event); });
  for (Event& event : held) rest.push_back({std::move(event), false});
  note_interrupted(host, culprit, rest, lost);
  note_unbegun(host, rest);
  Mailbox& mailbox = mailboxes_[host.slot];
  std::unordered_set<AgentId> alarms_kept;
  for (auto unfinished = rest.rbegin(); unfinished != rest.rend(); ++unfinished) {
    Event& event = unfinished->event;
    if (unfinished->begun || event.kind == EventKind::kNone) continue;
    if (event.kind == EventKind::kFetch) {
      if (PendingRequest* request = requests_.find(event.subject)) request->host = nullptr;
    }
    if (event.kind == EventKind::kAlarm) alarms_kept.insert(event.agent->id);
    mailbox.pending_bytes += event.frame.size();
    mailbox.pending.push_front(std::move(event));
  }
  for (auto& unfinished : rest) {
    if (unfinished.begun) lose_event(unfinished.event, host);
  }
  fail_alarms_of(host, alarms_kept);
}

void Engine::lose_event(Event& event, const Host& host) {
  const std::string agent = event.agent ? label(*event.agent) : std::string();
  const std::string of = event.agent ? " of " + agent : std::string();
  const std::string when = " when its host ended (" + host.ending() + "); it is not repeated";
  const auto tell = [&](const std::string& what) {
    const std::string message = "the handler of " + what + of + " had begun" + when;
    report_.tell(
        {.level = Level::kWarn, .message = message, .agent = agent, .connection = event.subject});
  };
  switch (event.kind) {
    case EventKind::kSocketMessage:
      tell("WebSocket message " + std::to_string(event.number));
      break;
    case EventKind::kSocketClosed:
      tell("a WebSocket's close");
      break;
    case EventKind::kScheduled:
      report_.say(Level::kWarn, "the scheduled handler had begun" + when);
      break;
    default:
      break;  // requests and alarms are seen to by themselves
  }
  release(event);
}

void Engine::lose_requests(Host& host) {
  std::vector<PendingRequest*> lost;
  requests_.for_each([&](PendingRequest& request) {
    if (request.host == &host) lost.push_back(&request);
  });
  Fault fault =
      fault_of("R413", 503,
               host.drained ? "the code was replaced before it answered"
                            : "the code handling this request ended before it answered",
               "What it had done until then was kept; ask again if it may be done twice.");
  fault.where = host.drained ? "" : host.ending();
  for (PendingRequest* request : lost) {
    if (!request->head_sent) {
      answer_and_close(*request, fault);
      continue;
    }
    const RequestId id = request->id;
    const std::string message = "a response to " + request->url + " was cut: " + fault.message;
    report_.tell({.level = Level::kWarn, .message = message, .request = id.value});
    close_request(*request);
    server_->respond_abort(id);
  }
}

void Engine::lose_connections(Host& host) {
  const std::string_view reason =
      host.drained ? "R413: the code was replaced, and this socket could not outlive it"
                   : "R413: the code that held this socket ended";
  connections_.for_each([&](Connection& connection) {
    if (connection.host_number != host.number || connection.orphaned) return;
    const bool waits_for_client = connection.early != nullptr;
    if (connection.hibernatable && !waits_for_client) return;
    orphan(connection, stopping_ ? 1001 : 1012, reason);
  });
}

// ---- agents

void Engine::on(Host& host, const wire::AgentOpened& message) {
  if (!known(host, message.agent) || refuse_opened(host, message)) return;
  Agent& agent = agents_.get(message.agent);
  if (!message.name.empty()) agent.name = message.name;
  // Of the two hosts of a slot the one that has it gets what sleeps.
  Host* serving = supervisor_.active(host.slot);
  const bool sleeps = agent.host == nullptr;
  if (sleeps ? departure_of(host) == nullptr : agent.host == &host)
    return wake(host, agent, "a call");
  const Host* there = sleeps ? serving : agent.host;
  host.send(wire::AgentElsewhere{message.agent, there != nullptr ? there->number : 0});
  agents_.drop_if_idle(agent);
}

void Engine::on(Host& host, const wire::AgentSleep& message) {
  // One that is to leave lets agents go when it is asked to.
  if (!known(host, message.agent) || host.leave_asked) return;
  Agent* agent = agents_.find(message.agent);
  if (agent != nullptr) {
    // An event is on its way to it: it stays awake, and will ask again.
    if (agent->host != &host || agent->events_sent > message.events) return;
    agent->leave_host();
    registry_.agent_closed(unique_key(message.agent), message.agent.hex());
    record(message.agent, LedgerKind::kSlept, "it was idle", {.host = host.number});
  }
  host.send(wire::SleepAccepted{message.agent});
  if (agent != nullptr) agents_.drop_if_idle(*agent);
}

// ---- between hosts, and to the log

// One that drains still gets what it has asked for.
void Engine::on(Host& host, const wire::PeerSend& message) {
  Host* peer = supervisor_.find(message.peer);
  if (peer == nullptr || !peer->has_slot()) return host.send(wire::PeerGone{message.peer});
  peer->send(wire::PeerData{host.number, message.data});
}

// Each host is told who serves the others' slots.
void Engine::introduce(Host& host) {
  supervisor_.for_each_host([&](Host& other) {
    if (&other == &host || !other.has_slot()) return;
    other.send(wire::HostServes{static_cast<std::uint8_t>(host.slot), host.number});
    if (supervisor_.active(other.slot) == &other) {
      host.send(wire::HostServes{static_cast<std::uint8_t>(other.slot), other.number});
    }
  });
}

void Engine::on(Host&, const wire::Log& message) {
  if (message.level >= static_cast<std::uint8_t>(Level::kError)) note_log(message.json);
  report_.host_log(static_cast<Level>(std::min<std::uint8_t>(message.level, 3)), message.json);
}

}  // namespace hearth::core
