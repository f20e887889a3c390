#include "core/simulation.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

namespace hearth::core::testing {

namespace {
constexpr unsigned kAgents = 5;
constexpr unsigned kClients = 12;
constexpr std::uint32_t kBlockedMs = 500;
}  // namespace

// ---- the network of a core that another takes over

int FakeHandover::nothing() {
  static const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  return descriptor;
}

void FakeHandover::show(const Show& show) {
  shown_.clear();
  for (const auto& [id, socket] : network_.sockets) {
    if (socket.close_code) continue;
    net::ConnectionState state;
    state.web_socket = true;
    state.input = std::to_string(id);
    if (show({id}, nothing(), state)) shown_.push_back(id);
  }
}

void FakeHandover::let_go() {
  for (const std::uint64_t id : shown_) network_.sockets.erase(id);
}

Status FakeHandover::adopt_listener(int descriptor) {
  ::close(descriptor);
  return {};
}

net::SocketId FakeHandover::adopt(int descriptor, net::ConnectionState state) {
  ::close(descriptor);
  const net::SocketId id{++network_.last_socket};
  network_.sockets[id.value] = {};
  adopted[std::stoull(state.input)] = id;
  return id;
}

SimulatedCore::SimulatedCore(os::VirtualWorld& world, const std::filesystem::path& state,
                             bool another_serves, const EngineOptions& options, FakeReport& report)
    : launcher(world) {
  launcher.on_launch = [](FakeHost& host) { host.leaves_at_once = false; };
  auto opened = another_serves ? Registry::look(state, world) : Registry::open(state, world);
  EXPECT_TRUE(opened) << opened.error().message;
  registry = std::move(opened).value();
  EngineHooks hooks;
  hooks.on_warm = [this] { warm = true; };
  engine = std::make_unique<Engine>(options, hooks, os::World{world, world, processes}, launcher,
                                    *registry, report);
  engine->attach(network);
  if (another_serves) engine->hold();
}

// ---- the world

Simulation::Simulation(unsigned seed) : seed_(seed), random_(seed) {
  // In memory where that is to be had: what is durable is not the question here.
  const std::filesystem::path memory = "/dev/shm";
  std::string folder =
      ((::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path()) /
       "hearth-sim-XXXXXX")
          .string();
  state_ = ::mkdtemp(folder.data());
  options_.state = state_;
  options_.supervisor.host_count = 1 + seed % 3;
  options_.supervisor.drain_ms = 300;
  // In every third world slots are replaced as a whole; in the others agents move one at a time.
  options_.supervisor.patience_ms = seed % 3 == 0 ? 0 : 400;
  options_.queue_events_max = 16;
  options_.blocked_ms_max = kBlockedMs;
  // In every fourth world hosts die by one agent's doing alone, and it is quarantined; in the
  // others by no agent's doing.
  if (seed % 4 == 0) poison_ = kAgents - 1;
  options_.quarantine_deaths = poison_ ? 3 : 0;
  deployment_.worker_json =
      R"({"namespaces":[{"className":"Room","uniqueKey":"w-Room"}],"bindings":[]})";
  deployment_.namespaces = {{"Room", "w-Room"}};
  deployment_.routes = {{"room", "ROOM", 0, "wrangler.jsonc:7:17", "Room"}};
  cores_.push_back(std::make_unique<SimulatedCore>(world_, state_, false, options_, report_));
  core().engine->deploy(deployment_);
  world_.settle();
}

Simulation::~Simulation() {
  cores_.clear();
  std::filesystem::remove_all(state_);
}

void Simulation::open() {
  wire::AgentIds ids("w-Room");
  for (unsigned i = 0; i < kAgents; ++i) {
    const AgentId id{0, ids.from_name(std::to_string(i))};
    stored_.push_back({});
    stored_.back().id = id;
    stored_.back().name = std::to_string(i);
    numbers_[id] = i;
  }
  for (unsigned i = 0; i < kClients; ++i) {
    Client client;
    client.agent = i % kAgents;
    const Stored& agent = stored_[client.agent];
    const unsigned slot = wire::owning_slot(agent.id.bytes, options_.supervisor.host_count);
    net::Request request;
    request.id = {i + 1};
    request.url = "http://h/agents/room/" + agent.name;
    request.upgrade = true;
    static_cast<net::ServerEvents&>(*core().engine).on_request(request);
    world_.settle();
    for (FakeHost* host : hosts()) {
      for (const Received& fetch : host->take("Fetch")) {
        const ConnectionId id = make_connection_id(static_cast<std::uint8_t>(slot), 1, i + 1);
        by_connection_[id.value] = i;
        host->send(wire::AgentOpened{agent.id, agent.name});
        host->send(wire::SocketOpen{id, agent.id, wire::kSocketHibernatable, {}, {}});
        host->send(wire::RespondUpgrade{{fetch.subject}, id, {}});
        host->finish(fetch.slot);
        world_.settle();
      }
    }
    ASSERT_TRUE(core().network.upgrades.contains(i + 1));
    client.socket = core().network.upgrades[i + 1];
    clients_.push_back(client);
  }
}

std::vector<FakeHost*> Simulation::hosts() {
  std::vector<FakeHost*> found;
  for (const auto& each : core().launcher.hosts) {
    if (each->alive() && each->count("Promote") > 0) found.push_back(each.get());
  }
  return found;
}

// A host that the core ended is over too.
void Simulation::note_ends() {
  for (const auto& each : core().launcher.hosts) life(*each).over |= !each->alive();
}

// ---- clients

void Simulation::client_writes() {
  Client& client = clients_[pick(clients_.size())];
  if (core().sockets.held || client.closed) return;
  if (core().network.sockets.at(client.socket.value).paused) return;
  ++client.sent;
  ++counts.messages;
  static_cast<net::ServerEvents&>(*core().engine)
      .on_message(client.socket, net::MessageKind::kAsciiText, std::to_string(client.sent));
}

void Simulation::clients_read() {
  for (Client& client : clients_) {
    if (client.closed) continue;
    FakeSocket& socket = core().network.sockets.at(client.socket.value);
    for (const std::string& text : std::exchange(socket.sent, {})) {
      const int number = std::stoi(text);
      ASSERT_TRUE(client.durable.contains(number)) << "an answer before its write was durable";
      client.got.push_back(number);
    }
    if (!socket.close_code) continue;
    ASSERT_EQ(*socket.close_code, 4503) << socket.close_reason;
    ASSERT_EQ(client.agent, poison_) << "a socket of an innocent agent was closed";
    client.closed = true;
    ++counts.quarantines;
    static_cast<net::ServerEvents&>(*core().engine)
        .on_socket_closed(client.socket, 4503, socket.close_reason, true);
  }
}

// ---- hosts

bool Simulation::busy(const Life& life, unsigned agent) const {
  const auto its = [&](const Running& each) { return each.agent == agent; };
  if (std::any_of(life.running.begin(), life.running.end(), its)) return true;
  return std::any_of(life.waiting.begin(), life.waiting.end(), [&](const Received& each) {
    const bool alarm = each.type == "Alarm";
    return agent ==
           (alarm ? numbers_.at(each.agent) : clients_[by_connection_.at(each.subject)].agent);
  });
}

// What a host reads off its socket.
void Simulation::read(FakeHost& host) {
  Life& its = life(host);
  for (const Received& each : std::exchange(host.received, {})) {
    if (each.type == "Promote") host.received.push_back(each);
    if (each.type == "Drain") its.draining = true, its.if_quiet = false;
    if (each.type == "DrainIfQuiet") its.draining = its.if_quiet = true;
    if (each.type == "Leave") its.leaving = true, host.send(wire::Leaving{});
    if (each.type == "AgentMove") its.moving.insert(numbers_.at(each.agent));
    if (each.type == "AgentWake" || each.type == "AgentElsewhere" || each.type == "SleepAccepted" ||
        each.type == "PeerData") {
      take_word(host, each);
    }
    if (each.type == "ProbeAlarm") {
      const Stored& agent = stored_[numbers_.at(each.agent)];
      host.send(wire::AlarmSet{agent.id, agent.name, agent.alarm_ms});
    }
    const bool closed = each.type == "SocketClosed";
    if (each.type != "SocketMessage" && each.type != "Alarm" && !closed) continue;
    const unsigned agent = each.type == "Alarm" ? numbers_.at(each.agent)
                                                : clients_[by_connection_.at(each.subject)].agent;
    ASSERT_TRUE(its.awake.contains(agent)) << "an event for an agent that the host was not told of";
    ++its.awake[agent];
    its.asked.erase(agent);
    its.waiting.push_back(each);
  }
}

void Simulation::check_alone(const FakeHost& host, unsigned agent) {
  for (const auto& [other, its] : lives_) {
    if (other == &host || its.over || !other->alive()) continue;
    ASSERT_FALSE(its.awake.contains(agent)) << "an agent is on two hosts";
  }
}

void Simulation::begin(FakeHost& host) {
  Life& its = life(host);
  if (its.waiting.empty() || its.draining) return;
  const Received event = its.waiting.front();
  its.waiting.pop_front();
  host.begin(event.slot);
  if (event.type == "SocketMessage") return begin_message(host, event);
  if (event.type == "Alarm") return begin_alarm(host, event);
  host.finish(event.slot);
}

void Simulation::begin_message(FakeHost& host, const Received& event) {
  const unsigned number = by_connection_.at(event.subject);
  Client& client = clients_[number];
  check_alone(host, client.agent);
  ASSERT_EQ(std::stoi(event.text), client.begun + 1) << "a message was lost, repeated or overtaken";
  ++client.begun;
  life(host).running.push_back({.place = event.slot,
                                .agent = client.agent,
                                .client = static_cast<int>(number),
                                .number = client.begun});
  host.run(event.slot);
  if (client.agent == poison_ && !calm_ && one_in(12)) return kill(host);
  host.run(std::nullopt);
}

void Simulation::begin_alarm(FakeHost& host, const Received& event) {
  const unsigned number = numbers_.at(event.agent);
  Stored& agent = stored_[number];
  check_alone(host, number);
  if (agent.alarm_ms < 0 || agent.alarm_ms > event.number) {
    host.send(wire::AlarmDone{agent.id, 0, event.number});
    host.finish(event.slot);
    return;
  }
  ++agent.alarms_begun[agent.alarm_ms];
  ++counts.alarms;
  counts.alarm_retries += event.count > 0 ? 1 : 0;
  life(host).running.push_back({.place = event.slot,
                                .agent = number,
                                .scheduled_ms = agent.alarm_ms,
                                .retries = event.count});
}

// A handler that runs goes on: its writes become durable, and at another time it answers and ends.
void Simulation::go_on(FakeHost& host) {
  Life& its = life(host);
  if (its.running.empty()) return;
  std::size_t which = pick(its.running.size());
  Running& running = its.running[which];
  if (!std::exchange(running.durable, true) && running.client >= 0) {
    clients_[static_cast<std::size_t>(running.client)].durable.insert(running.number);
    return;
  }
  const Running done = running;
  its.running.erase(its.running.begin() + static_cast<std::ptrdiff_t>(which));
  if (done.client == -2) return;
  if (done.client < 0) return end_alarm(host, done);
  if (one_in(6)) set_alarm(host, done.agent);
  if (!host.alive()) return;
  Client& client = clients_[static_cast<std::size_t>(done.client)];
  if (!client.closed) {
    client.answered.push_back(done.number);
    const auto connection = std::find_if(
        by_connection_.begin(), by_connection_.end(),
        [&](const auto& each) { return each.second == static_cast<unsigned>(done.client); });
    const std::string text = std::to_string(done.number);
    host.send(wire::Send{ConnectionId{connection->first}, 0, text});
  }
  host.finish(done.place);
  // Most handlers say something; one that does not is found by looking.
  if (!one_in(4)) host.send(wire::Log{0, "{}"});
}

void Simulation::end_alarm(FakeHost& host, const Running& done) {
  Stored& agent = stored_[done.agent];
  const bool failed = !calm_ && one_in(6);
  const bool over = !failed || done.retries >= kAlarmRetriesMax;
  if (over && agent.alarm_ms == done.scheduled_ms) agent.alarm_ms = -1;
  const std::uint8_t outcome = !failed ? 0 : over ? 2 : 1;
  host.send(wire::AlarmDone{agent.id, outcome, done.scheduled_ms});
  host.finish(done.place);
}

// It is committed, and the core hears of it, unless the host dies just between the two.
void Simulation::set_alarm(FakeHost& host, unsigned number) {
  if (calm_) return;
  Stored& agent = stored_[number];
  std::int64_t at_ms = world_.wall_ms() + pick(400);
  while (agent.alarms_set.contains(at_ms)) ++at_ms;
  agent.alarms_set.insert(at_ms);
  agent.alarm_ms = at_ms;
  if (!poison_ && one_in(10)) return kill(host);
  host.send(wire::AlarmSet{agent.id, agent.name, at_ms});
}

void Simulation::sleep(FakeHost& host) {
  Life& its = life(host);
  if (its.draining) return;
  for (const auto& [number, seen] : its.awake) {
    if (busy(its, number) || !its.asked.insert(number).second) continue;
    host.send(wire::AgentSleep{stored_[number].id, seen});
  }
}

void Simulation::drain(FakeHost& host) {
  Life& its = life(host);
  if (!its.draining || its.over) return;
  if (its.if_quiet && !(its.running.empty() && its.waiting.empty())) {
    its.draining = its.if_quiet = false;
    return host.send(wire::NotQuiet{});
  }
  while (!its.running.empty() && host.alive()) go_on(host);
  if (!host.alive()) return;
  its.over = true;
  host.drained();
  world_.settle();
  if (host.alive()) host.die({0, 0});
}

void Simulation::kill(FakeHost& host) {
  life(host).over = true;
  ++counts.kills;
  counts.leaving_kills += life(host).leaving ? 1 : 0;
  host.die();
}

void Simulation::act(FakeHost& host) {
  if (host.blocked) {
    if (one_in(40)) host.blocked = false;
    return;
  }
  read(host);
  const unsigned what = pick(60);
  if (what < 18) return begin(host);
  if (what < 38) return go_on(host);
  if (what < 40) return call_some(host);
  if (what < 44) return answer_moves(host);
  if (what < 50) return sleep(host);
  if (what < 56) return drain(host);
  if (poison_ || !one_in(6)) return;
  if (what < 58) return kill(host);
  host.blocked = true;
  ++counts.hangs;
}

void Simulation::step() {
  const unsigned what = pick(100);
  if (what < 38) {
    client_writes();
  } else if (what < 43) {
    world_.advance(pick(50));
  } else if (what < 44 && one_in(3)) {
    deployment_.whole_move = one_in(4);
    core().engine->deploy(deployment_);
    ++counts.deploys;
    world_.settle();
  } else if (what < 45 && one_in(6)) {
    hand_over();
  } else if (what < 58) {
    world_.settle();
  } else if (const auto all = hosts(); !all.empty()) {
    act(*all[pick(all.size())]);
  }
  note_ends();
  clients_read();
}

// ---- one core leaves, and another comes

// While something is waited for, everything goes on.
bool Simulation::wait_for(const bool& done) {
  for (int i = 0; i < 3'000 && !done && !::testing::Test::HasFatalFailure(); ++i) {
    if (one_in(3)) client_writes();
    world_.advance(pick(10));
    for (FakeHost* host : hosts()) {
      if (host->alive()) act(*host);
    }
    note_ends();
    clients_read();
  }
  return done;
}

void Simulation::hand_over() {
  SimulatedCore& old = core();
  auto next = std::make_unique<SimulatedCore>(world_, state_, true, options_, report_);
  next->network.last_socket = old.network.last_socket + 1'000;
  next->engine->deploy(deployment_);
  ASSERT_TRUE(wait_for(next->warm)) << "the core that comes is not warm";

  EngineHandover leaving(*old.engine, old.sockets);
  EngineHandover coming(*next->engine, next->sockets);
  bool settled = false;
  leaving.settle(pick(400), [&] { settled = true; });
  ASSERT_TRUE(wait_for(settled));
  bool left = false;
  leaving.leave([&] { left = true; });
  ASSERT_TRUE(wait_for(left)) << "its hosts do not end";
  clients_read();

  old.registry->close();
  old.registry->release();
  ASSERT_TRUE(next->registry->acquire(state_));
  const bool fails = one_in(4);
  int records = 0;
  const Status status = leaving.send([&](std::string_view record, int descriptor) -> Status {
    if (fails && ++records == 5) return Error{ErrorCode::kIo, "the other one died"};
    return coming.take(record,
                       descriptor < 0 ? os::Descriptor() : os::Descriptor(::dup(descriptor)));
  });
  if (fails) {
    ++counts.returns;
    next->registry->release();
    next.reset();
    ASSERT_TRUE(old.registry->acquire(state_));
    leaving.come_back();
    world_.settle();
    return;
  }
  ASSERT_TRUE(status) << status.error().message;
  ASSERT_TRUE(coming.complete());
  ++counts.handovers;
  leaving.let_go();
  for (Client& client : clients_) {
    if (client.closed) continue;
    ASSERT_TRUE(next->sockets.adopted.contains(client.socket.value)) << "a socket was left behind";
    client.socket = next->sockets.adopted.at(client.socket.value);
  }
  coming.go();
  counts.hosts += old.launcher.hosts.size();
  for (const auto& host : old.launcher.hosts) {
    ASSERT_FALSE(host->alive()) << "a host outlives its core";
    lives_.erase(host.get());
  }
  cores_.push_back(std::move(next));
  cores_.erase(cores_.begin());
  world_.settle();
}

// ---- the end

bool Simulation::is_dry() {
  for (const Client& client : clients_) {
    if (!client.closed && client.begun != client.sent) return false;
  }
  for (const auto& [host, its] : lives_) {
    if (!its.over && !its.running.empty()) return false;
  }
  return std::all_of(stored_.begin(), stored_.end(), [](const Stored& agent) {
    return agent.alarm_ms < 0 || agent.alarms_begun.contains(agent.alarm_ms);
  });
}

void Simulation::settle_all() {
  calm_ = true;
  for (int round = 0; round < 1'000 && !is_dry(); ++round) {
    if (::testing::Test::HasFatalFailure()) return;
    world_.advance(round < 200 ? 20 : 500);
    note_ends();
    for (FakeHost* host : hosts()) {
      host->blocked = false;
      read(*host);
      drain(*host);
      for (int i = 0; i < 40 && host->alive(); ++i) begin(*host), go_on(*host), answer_moves(*host);
    }
    clients_read();
  }
  world_.advance(20);
  clients_read();
  counts.hosts += core().launcher.hosts.size();
  if (!::testing::Test::HasFatalFailure()) check_end();
}

void Simulation::check_end() {
  for (const Client& client : clients_) {
    if (client.closed) continue;
    EXPECT_EQ(client.begun, client.sent) << "messages are lost";
    EXPECT_EQ(client.got, client.answered) << "answers are lost, repeated or out of order";
  }
  for (const Stored& agent : stored_) {
    if (poison_ && agent.id == stored_[*poison_].id) continue;  // it may not run
    if (agent.alarm_ms < 0) continue;
    // Given up after its retries is the only way in which one stays.
    const auto begun = agent.alarms_begun.find(agent.alarm_ms);
    EXPECT_TRUE(begun != agent.alarms_begun.end()) << "an alarm was forgotten";
  }
}

}  // namespace hearth::core::testing
