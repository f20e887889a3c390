// The core in a simulated world, driven by one seed: clients write, agents work and set alarms, and
// at random moments hosts are killed, stop turning, are ended by their own agents, code is
// replaced, agents call each other, and one core hands everything to another. This is the world
// around the cores: what clients have sent and got, what agents' databases hold, and hosts that
// behave as the real ones promise to. It checks as it goes; what must hold is said at
// `Simulation::step` and `Simulation::settle_all`.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/handover.h"
#include "core/test_world.h"

namespace hearth::core::testing {

// A FakeNetwork's sockets as another process takes them.
class FakeHandover final : public net::Handover {
 public:
  explicit FakeHandover(FakeNetwork& network) : network_(network) {}

  void hold(bool wanted) override { held = wanted; }
  int listener() const override { return nothing(); }
  void show(const Show& show) override;
  void let_go() override;
  Status adopt_listener(int descriptor) override;
  net::SocketId adopt(int descriptor, net::ConnectionState state) override;

  bool held = false;
  std::map<std::uint64_t, net::SocketId> adopted;  // by the other's socket

 private:
  static int nothing();  // a descriptor that stands for all

  FakeNetwork& network_;
  std::vector<std::uint64_t> shown_;
};

// One process of hearth.
struct SimulatedCore {
  SimulatedCore(os::VirtualWorld& world, const std::filesystem::path& state, bool held,
                const EngineOptions& options, FakeReport& report);

  NoProcesses processes;
  FakeLauncher launcher;
  FakeNetwork network;
  FakeHandover sockets{network};
  bool warm = false;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Engine> engine;
};

class Simulation {
 public:
  explicit Simulation(unsigned seed);
  ~Simulation();

  // Opens every client's socket.
  void open();
  // Something happens. Each message begins once, in its socket's order, on a host that was told of
  // its agent, while no other host has that agent; no answer is seen whose write is not durable.
  void step();
  // Nothing goes wrong any more. Then every message has begun and every answer that a host gave has
  // come, every alarm that was committed has run, and no socket has closed but a quarantined
  // agent's.
  void settle_all();
  // Whether the seed did what it is for; for all seeds together.
  struct Counts {
    std::uint64_t messages = 0, hosts = 0, kills = 0, hangs = 0, deploys = 0, alarms = 0,
                  alarm_retries = 0, handovers = 0, returns = 0, quarantines = 0, moves = 0,
                  refusals = 0, calls = 0, relays = 0, leaving_kills = 0;
  };
  Counts counts;

 private:
  struct Client {
    net::SocketId socket;
    unsigned agent = 0;
    int sent = 0;
    int begun = 0;              // the number of the last message whose handler began
    std::set<int> durable;      // numbers whose writes are
    std::vector<int> answered;  // by hosts
    std::vector<int> got;
    bool closed = false;
  };
  // What an agent's file holds, and what it has seen.
  struct Stored {
    AgentId id;
    std::string name;
    std::int64_t alarm_ms = -1;
    std::map<std::int64_t, int> alarms_begun;
    std::set<std::int64_t> alarms_set;
  };
  struct Running {
    std::uint32_t place;
    unsigned agent;
    int client = -1;  // -1: an alarm; -2: a call from inside, without a place
    int number = 0;
    std::int64_t scheduled_ms = 0;
    std::uint32_t retries = 0;
    bool durable = false;
  };
  struct Life {
    std::deque<Received> waiting;
    std::vector<Running> running;
    std::map<unsigned, std::uint64_t> awake;  // agent to events seen since its wake
    std::set<unsigned> asked;                 // to let it sleep, and nothing has come since
    std::set<unsigned> moving;                // asked to move
    std::map<unsigned, int> opening;          // calls that wait for the core's word of their agent
    std::map<unsigned, unsigned> hops;        // of calls that came from elsewhere, by agent
    bool leaving = false;
    bool draining = false;
    bool if_quiet = false;  // it may answer that it is not
    bool over = false;
  };

  unsigned pick(std::size_t below) { return static_cast<unsigned>(random_() % below); }
  bool one_in(unsigned chance) { return pick(chance) == 0; }
  SimulatedCore& core() { return *cores_.back(); }
  Life& life(FakeHost& host) { return lives_[&host]; }

  void client_writes();
  void clients_read();
  void read(FakeHost& host);
  void begin(FakeHost& host);
  void begin_message(FakeHost& host, const Received& event);
  void begin_alarm(FakeHost& host, const Received& event);
  void check_alone(const FakeHost& host, unsigned agent);
  void go_on(FakeHost& host);
  void end_alarm(FakeHost& host, const Running& done);
  void set_alarm(FakeHost& host, unsigned agent);
  void sleep(FakeHost& host);
  void drain(FakeHost& host);
  void call_some(FakeHost& host);
  void call(FakeHost& host, unsigned agent);
  void take_word(FakeHost& host, const Received& word);
  void answer_moves(FakeHost& host);
  void kill(FakeHost& host);
  void note_ends();
  bool busy(const Life& life, unsigned agent) const;
  std::vector<FakeHost*> hosts();
  void act(FakeHost& host);
  void hand_over();
  bool wait_for(const bool& done);
  bool is_dry();
  void check_end();

  const unsigned seed_;
  std::mt19937 random_;
  std::filesystem::path state_;
  os::VirtualWorld world_;
  FakeReport report_;
  EngineOptions options_;
  Deployment deployment_;
  std::vector<std::unique_ptr<SimulatedCore>> cores_;  // the last serves
  std::vector<Client> clients_;
  std::vector<Stored> stored_;
  std::map<std::uint64_t, unsigned> by_connection_;
  std::map<AgentId, unsigned> numbers_;
  std::map<FakeHost*, Life> lives_;
  std::optional<unsigned> poison_;  // an agent that ends its hosts
  bool calm_ = false;
};

}  // namespace hearth::core::testing
