// The core itself: clients on one side, hosts on the other, and between them who owns what. It
// takes the network's events, gives each to the host slot that owns the agent concerned, keeps what
// a host has not finished, and carries the hosts' answers back. It never runs user code and never
// opens an agent's database.
//
// What always holds: the events of one agent reach its handlers in the order in which they came,
// each at most once; an agent is awake on one host at a time; a client's socket outlives the host,
// unless the code had not asked for that; and whoever cannot be served is told why, at once.
//
// One thread, the event loop's. Owned by main; the server, the world and the registry outlive it.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/agent_state.h"
#include "core/alarm_index.h"
#include "core/copies.h"
#include "core/cpu_limit.h"
#include "core/cron.h"
#include "core/fault.h"
#include "core/health.h"
#include "core/ledger.h"
#include "core/origins.h"
#include "core/quarantine.h"
#include "core/registry.h"
#include "core/report.h"
#include "core/router.h"
#include "core/share.h"
#include "core/stopped_hosts.h"
#include "core/supervisor.h"
#include "core/tables.h"
#include "core/turn_limit.h"
#include "net/server.h"

namespace hearth::core {

struct EngineOptions {
  Mode mode = Mode::kDev;
  std::filesystem::path state;  // agents at <state>/do/<unique key>/<id>.sqlite
  SupervisorOptions supervisor;
  std::size_t queue_bytes_max = kHostQueueBytesMax;  // kept for one host, in all
  std::size_t queue_events_max = 4096;  // waiting for one host; a socket that adds to it pauses
  std::size_t queues_bytes_max = kQueueBytesMax;  // kept for all hosts
  std::uint32_t early_ms_max = 300'000;           // an accepted socket whose 101 does not come
  std::uint32_t blocked_ms_max =
      30'000;  // of a host's event loop; 0: for ever (a debugger is there)
  std::uint32_t stopped_ms_max = 2'000;  // of a host's process, by a signal; 0: for ever
  unsigned quarantine_deaths = 3;  // of hosts in a minute that one agent may cause; 0: any number
  std::uint32_t answer_ms_max = 100'000;  // of a handler, until its response begins; 0: for ever
  Origins origins;                        // of pages that may ask
  std::uint64_t host_memory_bytes = 0;    // that a host may hold; 0: any amount
  unsigned host_cpu_percent = 0;          // of one core that a host may use; 0: all there is
  std::uint32_t client_stop_ms = 1'500;   // of a shutdown: for clients to take their close
  std::uint32_t host_stop_ms = 2'500;     // and then for hosts to drain
};

inline constexpr std::string_view kQuarantinedCode = "R414";
inline constexpr std::string_view kOverloadedCode = "R415";

struct EngineHooks {
  std::function<void()> on_serving = [] {};  // once, when every slot has had its first host
  std::function<void()> on_warm = [] {};     // while held: every slot could have one
  // Ready's or LoadFailed's JSON, once for each deployment; no agent has been opened by it yet.
  std::function<void(std::uint64_t, std::string_view json)> on_loaded = [](std::uint64_t,
                                                                           std::string_view) {};
  std::function<void(std::uint64_t, std::string_view json)> on_load_failed =
      [](std::uint64_t, std::string_view) {};
  // Every slot has a host of this deployment that takes what comes; those of the one before may
  // still leave, unless its migrations concern agents (Deployment::whole_move).
  std::function<void(std::uint64_t)> on_switched = [](std::uint64_t) {};
  // Its hosts end as soon as they start, one after the other; the last with `ending`. Repeated.
  std::function<void(std::uint64_t, std::string_view ending)> on_failing = [](std::uint64_t,
                                                                              std::string_view) {};
};

// A request that has not been answered in full.
struct PendingRequest {
  RequestId id;
  Host* host = nullptr;  // null: it waits for one
  bool upgrade = false;
  bool head_sent = false;
  bool body_streamed = false;
  bool body_ended = false;
  // What was sent of a streamed body is kept until the host has taken from it.
  bool body_kept = false;
  std::string body;
  std::string method;
  std::string url;
  std::string accept;
  std::int64_t since_ms = 0;  // steady: it came, or the last of its body so far
};

class Engine final : public net::ServerEvents, SupervisorEvents, AlarmStore {
 public:
  Engine(EngineOptions options, EngineHooks hooks, const os::World& world, HostLauncher& launcher,
         Registry& registry, Report& report);
  ~Engine() override;

  // Before anything else is called.
  void attach(net::Server& server) {
    server_ = &server;
    watch_deadlines();
    stopped_hosts_.start();
  }
  // What became of agents is noted there; it outlives the engine. Before the first deploy.
  void attach(Ledger& ledger) { ledger_ = &ledger; }
  // Before the first deploy, in a process that takes another's place (handover.h): hosts are
  // started and load, but nothing is served and the registry is not touched.
  void hold();
  // What is served from now on: the first at once, later ones when they have loaded. The number by
  // which the hooks name it.
  std::uint64_t deploy(Deployment deployment);
  // A host has died soon after it started, and none has lived long since.
  bool unsteady() const { return supervisor_.deaths_at_start() > 0; }
  // A migration deleted the class: its sockets are closed, its alarms forgotten.
  void close_class(std::string_view unique_key);
  // While no host can serve, answers are this fault (a build that failed).
  void set_build_fault(std::optional<Fault> fault);
  // Closes clients (1001), drains the hosts. `done` runs once.
  void stop(std::function<void()> done);

  // Of agents that are awake, or have sockets, an alarm or a quarantine, in no order.
  std::vector<AgentState> agent_states() const;
  // Empty for a class that is not served.
  std::string class_of(std::string_view unique_key) const;
  // Of an agent's folder and file; nothing for a class that is not served.
  std::optional<AgentId> agent_id(std::string_view unique_key, std::string_view id) const;
  // The agent that "/agents/:segment/:name" in a URL names.
  std::optional<AgentId> agent_at(std::string_view url) const;
  // Copies an agent's file as its host has it, without disturbing it. `done` runs once, later.
  void copy_database(const AgentId& agent, std::string from, std::string to, Copies::Done done);
  // An agent whose file was put there from outside: its name and alarm are known from now on.
  void adopt_agent(const AgentId& agent, std::string_view name, std::int64_t alarm_ms);
  // It may run again. False: it was not in quarantine.
  bool release_agent(const AgentId& agent);

  std::size_t overdue_alarms() const { return alarms_.overdue(); }
  std::size_t agents() const { return agents_.size(); }
  std::size_t connections() const { return connections_.size(); }
  std::size_t requests() const { return requests_.size(); }
  std::size_t pending(unsigned slot) const {
    return mailboxes_[slot].pending.size() + mailboxes_[slot].held_events;
  }
  std::size_t in_flight(unsigned slot) const;
  Health health() const;  // engine_health.cc

 private:
  friend struct FromHost;
  friend class EngineHandover;

  struct Resume {
    AgentId id;
    std::uint8_t attempts = 0;  // made before
  };
  // Events of a slot that no host has been given yet, and which sockets are not read meanwhile.
  struct Mailbox {
    std::deque<Event> pending;
    std::size_t pending_bytes = 0;
    std::deque<ConnectionId> paused;       // because of the host's own bounds, or of those in all
    std::vector<AgentId> crowded;          // agents with sockets that are paused because of theirs
    std::vector<Resume> resumes;           // agents that the last host's end interrupted
    std::unique_ptr<Departure> departure;  // while a host leaves the slot
    std::size_t held_events = 0;  // kept for agents there; their bytes are among the pending ones
  };
  // An agent that was awake on a host that ended.
  struct LostAgent {
    AgentId id;
    std::string name;
    bool working = false;
    std::uint8_t resumed = 0;
  };

  // Of a host's end. Known and of no agent: it was the worker's own code.
  struct Culprit {
    bool known = false;
    std::optional<AgentId> agent;
  };

  // ---- the network (engine_requests.cc, engine_sockets.cc)
  void on_request(const net::Request& request) override;
  void on_body(RequestId request, std::string_view data) override;
  void on_body_end(RequestId request) override;
  void on_request_gone(RequestId request, std::string_view reason) override;
  void on_response_taken(RequestId request, std::uint32_t bytes) override;
  void on_message(net::SocketId socket, net::MessageKind kind, std::string_view data) override;
  bool on_socket_closing(net::SocketId socket, std::uint16_t code, std::string_view reason,
                         bool clean) override;
  void on_socket_closed(net::SocketId socket, std::uint16_t code, std::string_view reason,
                        bool clean) override;

  // ---- the hosts (engine_hosts.cc)
  Status on_frame(Host& host, std::string_view frame) override;
  void on_batch_end(Host& host) override;
  void on_room(Host& host) override;
  void on_promoted(Host& host) override;
  void on_stays(Host& host) override;
  void on_leaving(Host& host) override;
  void on_slot_lost(Host& host) override;
  void on_loaded(const Document& document, std::string_view json) override;
  void on_load_failed(const Document& document, std::string_view json) override;
  void on_unavailable(std::string_view reason) override;
  void on_switched(const Document& document) override;
  void on_warm() override { hooks_.on_warm(); }
  void meet_registry();
  void on_failing(const Document& document, std::string_view ending) override;
  bool is_quiet(const Host& host) const override;
  void adopt(Deployment deployment);
  void watch_hosts();
  std::uint32_t blocked_ms_max() const {
    return deployment_.blocked_ms_max.value_or(options_.blocked_ms_max);
  }
  void watch_memory();  // engine_memory.cc
  void look_at_memory();
  void look_at_memory(Host& host);
  void on_held(Host& host, std::int64_t held_ms, std::int64_t within_ms);  // engine_health.cc
  void look_for_blocked_hosts();
  std::int64_t starved_ms(const Host& host) const;
  void end_blocked(Host& host, std::string reason);
  void end_overspent(Host& host, std::int64_t used_ms);
  std::filesystem::path blocked_file(const Host& host) const;
  std::string blocked_stack(const Host& host) const;
  std::vector<LostAgent> lose_agents(Host& host);
  void lose_events(Host& host, const std::vector<LostAgent>& lost, std::deque<Event> held);
  void lose_requests(Host& host);
  void lose_connections(Host& host);
  void lose_event(Event& event, const Host& host);
  void introduce(Host& host);

  // ---- agents that move from a host that leaves (engine_moves.cc)
  Departure* departure_of(const Host& host) const;
  std::string why_moved(const Host& host) const;
  void ask_to_move(Host& host, Agent& agent);
  bool stays_behind(const Mailbox& mailbox, EventKind kind, const Agent* agent,
                    std::uint64_t subject) const;
  void deliver_behind(Mailbox& mailbox, Event event);
  bool flush_behind(Mailbox& mailbox, std::deque<Event>& held);
  void pump_behind(Mailbox& mailbox);
  void cut_sockets(const Host& host, const Agent& agent);
  void hand_on(Mailbox& mailbox, unsigned slot, Event event);
  void watch_departures();
  void look_at_departures();
  void look_at_departure(Mailbox& mailbox, Host& host);
  bool is_empty(const Departure& departure);
  std::deque<Event> take_held(Host& host);
  void sweep(unsigned slot);

  // ---- what an end interrupts (engine_rescue.cc)
  const AgentId* named_in(const Event& event, const std::vector<LostAgent>& lost) const;
  Culprit culprit_of(Host& host, const std::vector<LostAgent>& lost) const;
  const Agent* at_work(Host& host) const;
  void note_interrupted(Host& host, const Culprit& culprit,
                        const std::vector<EventTable::Unfinished>& unfinished,
                        const std::vector<LostAgent>& lost);
  void resume_agents(Host& host);
  void enter_quarantine(const AgentId& id, const Host& host);
  Fault quarantine_fault(const std::string& agent) const;
  static void mark_quarantined(Fault& fault);
  std::optional<Fault> refused_agent(std::string_view url) const;
  bool refuse_opened(Host& host, const wire::AgentOpened& message);
  bool postpone_quarantined(const AgentId& id);

  // ---- the ledger (engine_ledger.cc)
  void record(const AgentId& agent, LedgerKind kind, std::string_view text = {},
              const LedgerFacts& facts = {}) {
    if (ledger_ != nullptr) ledger_->note(agent, kind, text, facts);
  }
  void note_closed(const Connection& connection, std::uint16_t code, std::string_view by,
                   std::string_view reason);
  void note_unbegun(const Host& host, const std::vector<EventTable::Unfinished>& unfinished);
  void note_replayed(const Host& host);
  void note_log(std::string_view json);
  void note_fault(std::string_view url, const Fault& fault);
  void alarm_failed(const AgentId& agent, bool give_up);

  // ---- the hosts' messages
  void on(Host& host, const wire::Respond& message);
  void on(Host& host, const wire::ResponseData& message);
  void on(Host& host, const wire::ResponseEnd& message);
  void on(Host& host, const wire::ResponseFailed& message);
  void on(Host& host, const wire::BodyCredit& message);
  void on(Host& host, const wire::SocketOpen& message);
  void on(Host& host, const wire::RespondUpgrade& message);
  void on(Host& host, const wire::Send& message);
  void on(Host& host, const wire::SendMany& message);
  void on(Host& host, const wire::CloseSocket& message);
  void on(Host& host, const wire::Attach& message);
  void on(Host& host, const wire::AutoResponse& message);
  void on(Host& host, const wire::EventTimeout& message);
  void on(Host& host, const wire::AgentOpened& message);
  void on(Host& host, const wire::AgentSleep& message);
  void on(Host& host, const wire::AgentMoved& message);
  void on(Host& host, const wire::AgentStays& message);
  void on(Host& host, const wire::AgentWorking& message);
  void on(Host& host, const wire::AlarmSet& message);
  void on(Host& host, const wire::AlarmDone& message);
  void on(Host& host, const wire::DatabaseCopied& message);
  void on(Host& host, const wire::PeerSend& message);
  void on(Host& host, const wire::Log& message);
  bool known(Host& host, const AgentId& agent);

  // ---- events on their way (engine_events.cc)
  // Hands an event to the slot's host, or keeps it until there is one with room.
  template <typename Message>
  void deliver(unsigned slot, EventKind kind, Agent* agent, std::uint64_t subject, Message message,
               std::uint64_t number = 0);
  bool send_pending(Host& host, Event& event);
  void pump(Host& host);
  bool stale(const Event& event) const;
  void release(Event& event);
  void wake(Host& host, Agent& agent, std::string_view cause);
  void hold(const Event& event);
  void let_go(const Event& event);
  unsigned least_loaded() const;
  unsigned slot_of(const Agent& agent) const;
  // Where it is awake, or would be woken; null: nowhere just now.
  Host* host_of(const AgentId& id) const;

  // ---- what holds clients back (engine_backpressure.cc)
  std::size_t load(unsigned slot) const;
  bool crowded(unsigned slot) const;
  Burden free_of(unsigned slot) const;
  void pause_if_crowded(Connection& connection, unsigned slot);
  void pause(Connection& connection, std::deque<ConnectionId>& list);
  void hold_back(Agent& agent, unsigned slot);
  void resume_some(std::deque<ConnectionId>& paused, std::size_t bytes);
  void resume_if_room(unsigned slot);
  bool resume_agent(Agent& agent, unsigned slot);
  void look_for_room();
  std::optional<Fault> busy_agent(std::string_view url, unsigned slot) const;

  // For who follows the log (engine_health.cc); costs nothing while nobody does.
  void note(const Agent* agent, std::string_view what, std::uint64_t connection = 0,
            std::string_view message = {});

  // ---- requests
  PendingRequest* request_of(Host& host, RequestId id);
  PendingRequest& open_request(const net::Request& request);
  void close_request(PendingRequest& request);
  void answer(RequestId id, bool upgrade, std::string_view accept, const Fault& fault);
  void answer_and_close(PendingRequest& request, const Fault& fault);
  void refuse_body(PendingRequest& request);
  void forget_body(PendingRequest& request);
  void hint(std::string_view url);
  void watch_deadlines();
  void end_overdue_requests();
  void refuse_upgrade(Host& host, PendingRequest& request, const wire::Respond& message);
  std::optional<Fault> unavailable_fault(unsigned slot) const;
  std::string next_reference();

  // ---- sockets
  void send_to(Connection& connection, net::MessageKind kind, std::string_view data);
  void flush_early(Connection& connection);
  void end_connection(Connection& connection, std::uint16_t code, std::string_view reason,
                      bool clean);
  void finish_closing(Connection& connection);
  void look_for_end(ConnectionId id);
  void orphan(Connection& connection, std::uint16_t code, std::string_view reason);
  void erase(Connection& connection);
  bool auto_responded(Connection& connection, net::MessageKind kind, std::string_view data);
  void sweep_early();

  // ---- alarms, crons, probes (engine_alarms.cc)
  void fire_alarm(const AgentId& agent, const AlarmEntry& alarm) override;
  void alarm_changed(const AgentId& agent, const AlarmEntry* alarm) override;
  void alarm_given_up(const AgentId& agent, const AlarmEntry& alarm) override;
  void load_alarms();
  void find_unclean_agents();
  void probe(const AgentId& agent);
  void pump_probes();
  void fail_alarms_of(const Host& host, const std::unordered_set<AgentId>& kept);
  void start_crons();
  void arm_crons();
  void fire_crons();
  const std::string& unique_key(const AgentId& agent) const;
  std::string label(const Agent& agent) const;
  std::string label(const AgentId& id, const std::string& name) const;

  const EngineOptions options_;
  const EngineHooks hooks_;
  const os::World world_;
  Registry& registry_;
  Report& report_;
  net::Server* server_ = nullptr;
  Ledger* ledger_ = nullptr;  // null: nothing is noted
  Deployment deployment_;
  std::optional<Deployment> next_;  // not loaded yet
  std::uint64_t next_number_ = 0;
  Router router_;
  AgentTable agents_;
  ConnectionTable connections_;
  FlatMap<PendingRequest> requests_;
  std::vector<std::unique_ptr<PendingRequest>> spare_requests_;
  std::vector<Mailbox> mailboxes_;
  AlarmIndex alarms_;
  Quarantine quarantine_;
  Copies copies_;
  std::deque<AgentId> probes_;           // to be asked
  std::unordered_set<AgentId> probing_;  // asked, not answered
  std::vector<std::pair<Cron, CronTrigger>> crons_;
  std::int64_t crons_fired_ms_ = 0;
  os::TimerId cron_timer_;
  os::TimerId early_timer_;
  os::TimerId watchdog_timer_;
  os::TimerId memory_timer_;
  os::TimerId deadline_timer_;
  os::TimerId departure_timer_;
  bool departures_watched_ = false;
  os::TimerId room_timer_;  // set while any socket is paused
  bool room_watched_ = false;
  std::size_t held_bytes_ = 0;  // of all events on their way
  std::int64_t crowding_told_ms_ = INT64_MIN / 2;
  std::unordered_map<ConnectionId, std::int64_t> early_;  // sockets without a client, since when
  std::optional<Fault> build_fault_;
  std::uint64_t last_reference_ = 0;
  bool serving_ = false;
  bool deployed_ = false;
  bool loaded_registry_ = false;
  bool stopping_ = false;
  bool held_ = false;                                           // another process still serves
  bool leaving_ = false;                                        // another process will serve
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // timers outlive the engine
  // Late: its end must find the rest in place.
  Supervisor supervisor_;
  CpuLimit cpu_limit_;
  StoppedHosts stopped_hosts_;
  TurnLimit turn_limit_;
};

template <typename Message>
void Engine::deliver(unsigned slot, EventKind kind, Agent* agent, std::uint64_t subject,
                     Message message, std::uint64_t number) {
  Mailbox& mailbox = mailboxes_[slot];
  if (mailbox.departure && stays_behind(mailbox, kind, agent, subject)) [[unlikely]] {
    Event event{kind, agent, subject, {}, number};
    wire::append(event.frame, message);
    hold(event);
    return deliver_behind(mailbox, std::move(event));
  }
  Host* host = supervisor_.active(slot);
  if (host != nullptr && mailbox.pending.empty()) {
    if (const std::optional<std::uint32_t> place = host->events().claim()) {
      if (agent != nullptr) {
        wake(*host, *agent, cause_of(kind));
        ++agent->events_sent;
      }
      message.slot = *place;
      Event& event = host->events().entry(*place);
      event.kind = kind;
      event.agent = agent;
      event.subject = subject;
      event.number = number;
      wire::append(event.frame, message);
      hold(event);
      host->events().filled(*place);
      host->link().send_frame(event.frame);
      return;
    }
  }
  Event event{kind, agent, subject, {}, number};
  wire::append(event.frame, message);
  hold(event);
  mailbox.pending_bytes += event.frame.size();
  mailbox.pending.push_back(std::move(event));
}

inline void Engine::hold(const Event& event) {
  held_bytes_ += event.frame.size();
  if (event.agent == nullptr) return;
  ++event.agent->events_held;
  event.agent->bytes_held += event.frame.size();
}

}  // namespace hearth::core
