// The core in a simulated world, driven by one seed: clients write, handlers begin and end, agents
// sleep, hosts are killed, code is replaced, all at random moments. Whatever happens, every message
// begins exactly once, in its socket's order, on a host that was told of its agent, while no other
// host holds that agent; and no socket closes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <random>
#include <set>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::FakeHost;
using testing::Received;

class Simulation : public testing::CoreTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  struct Socket {
    net::SocketId id;
    unsigned agent = 0;
    int sent = 0;
    int begun = 0;  // the number of the last message whose handler began
  };
  struct Life {
    std::deque<Received> waiting;
    std::vector<std::pair<std::uint32_t, unsigned>> running;  // place, agent
    std::map<unsigned, std::uint64_t> awake;                  // agent to events seen since its wake
    bool draining = false;
    bool over = false;
  };

  unsigned pick(std::size_t below) { return static_cast<unsigned>(random() % below); }

  void open_sockets() {
    for (unsigned i = 0; i < kSockets; ++i) {
      Socket socket;
      socket.agent = i % kAgents;
      const std::string name = std::to_string(socket.agent);
      numbers[agent(name)] = socket.agent;
      const unsigned slot = wire::owning_slot(agent(name).bytes, options.supervisor.host_count);
      socket.id = open_socket(host(slot), name,
                              make_connection_id(static_cast<std::uint8_t>(slot), 1, i + 1));
      by_connection[make_connection_id(static_cast<std::uint8_t>(slot), 1, i + 1).value] = i;
      lives[&host(slot)].awake.emplace(socket.agent, 0);
      sockets.push_back(socket);
    }
  }

  // What a host reads off its socket.
  void read(FakeHost& from) {
    Life& life = lives[&from];
    for (const Received& each : std::exchange(from.received, {})) {
      if (each.type == "Promote") from.received.push_back(each);
      if (each.type == "Drain") life.draining = true;
      if (each.type == "AgentWake") life.awake[numbers.at(each.agent)] = 0;
      if (each.type == "SleepAccepted") {
        const unsigned of = numbers.at(each.agent);
        ASSERT_FALSE(waits(life, of)) << "an agent was put to sleep over an event";
        life.awake.erase(of);
      }
      if (each.type == "ProbeAlarm") from.send(wire::AlarmSet{each.agent, {}, -1});
      if (each.type != "SocketMessage") continue;
      const unsigned of = sockets[by_connection.at(each.subject)].agent;
      ASSERT_TRUE(life.awake.contains(of)) << "an event for an agent that the host was not told of";
      ++life.awake[of];
      life.waiting.push_back(each);
    }
  }

  void begin(FakeHost& on) {
    Life& life = lives[&on];
    if (life.waiting.empty() || life.draining) return;
    const Received event = life.waiting.front();
    life.waiting.pop_front();
    Socket& socket = sockets[by_connection.at(event.subject)];
    for (const auto& [other, its] : lives) {
      if (other == &on || its.over) continue;
      for (const auto& [place, agent_running] : its.running) {
        ASSERT_NE(agent_running, socket.agent) << "an agent runs on two hosts";
      }
    }
    ASSERT_EQ(std::stoi(event.text), socket.begun + 1)
        << "a message was lost, repeated or overtaken";
    ++socket.begun;
    on.begin(event.slot);
    life.running.emplace_back(event.slot, socket.agent);
  }

  void finish(FakeHost& on) {
    Life& life = lives[&on];
    if (life.running.empty()) return;
    const std::size_t which = pick(life.running.size());
    on.finish(life.running[which].first);
    life.running.erase(life.running.begin() + static_cast<std::ptrdiff_t>(which));
    on.send(wire::Log{0, "{}"});
  }

  bool waits(const Life& life, unsigned number) const {
    return std::any_of(life.waiting.begin(), life.waiting.end(), [&](const Received& each) {
      return sockets[by_connection.at(each.subject)].agent == number;
    });
  }

  void sleep(FakeHost& on) {
    Life& life = lives[&on];
    for (const auto& [number, seen] : life.awake) {
      if (!waits(life, number) && !life.draining)
        on.send(wire::AgentSleep{agent(std::to_string(number)), seen});
    }
  }

  void drain(FakeHost& on) {
    Life& life = lives[&on];
    if (!life.draining) return;
    while (!life.running.empty()) finish(on);
    life.over = true;
    on.drained();
    settle();
    on.die({0, 0});
  }

  void kill(FakeHost& on) {
    lives[&on].over = true;
    on.die();
  }

  std::vector<FakeHost*> promoted() {
    std::vector<FakeHost*> found;
    for (const auto& each : launcher.hosts) {
      if (each->alive() && each->count("Promote") > 0) found.push_back(each.get());
    }
    return found;
  }

  void step() {
    const unsigned what = pick(100);
    if (what < 40) {
      Socket& socket = sockets[pick(sockets.size())];
      if (!network.sockets[socket.id.value].paused)
        message(socket.id, std::to_string(++socket.sent));
      return;
    }
    if (what < 43) return world.advance(pick(50));
    if (what < 44 && pick(4) == 0) return deploy();
    if (what < 60) return settle();
    const auto running = promoted();
    if (running.empty()) return settle();
    FakeHost& on = *running[pick(running.size())];
    read(on);
    if (what < 78) return begin(on);
    if (what < 92) return finish(on);
    if (what < 96) return sleep(on);
    if (what < 98) return drain(on);
    if (what == 98 && pick(3) == 0) kill(on);
  }

  // A draining host that the core ends at its deadline is over too.
  void note_ends() {
    for (const auto& each : launcher.hosts) lives[each.get()].over |= !each->alive();
  }

  // Nothing dies any more: everything that was sent must begin.
  void run_dry() {
    for (int round = 0; round < 4'000 && !dry(); ++round) {
      world.advance(100);
      note_ends();
      for (FakeHost* each : promoted()) {
        read(*each);
        drain(*each);
        if (!each->alive()) continue;
        for (int i = 0; i < 20; ++i) begin(*each), finish(*each);
      }
      if (HasFatalFailure()) return;
    }
  }
  bool dry() const {
    return std::all_of(sockets.begin(), sockets.end(),
                       [](const Socket& each) { return each.begun == each.sent; });
  }

  static constexpr unsigned kAgents = 5;
  static constexpr unsigned kSockets = 12;
  std::mt19937 random{GetParam()};
  std::vector<Socket> sockets;
  std::map<std::uint64_t, unsigned> by_connection;
  std::map<AgentId, unsigned> numbers;
  std::map<FakeHost*, Life> lives;
};

TEST_P(Simulation, LosesNothingRepeatsNothingAndKeepsOrder) {
  options.supervisor.host_count = 1 + GetParam() % 3;
  options.supervisor.drain_ms = 300;
  options.queue_events_max = 16;
  options.quarantine_deaths = 0;  // the hosts die by no agent's doing
  boot();
  open_sockets();
  for (int i = 0; i < 3'000; ++i) {
    step();
    note_ends();
    ASSERT_FALSE(HasFatalFailure()) << "seed " << GetParam() << ", step " << i;
  }
  run_dry();
  ASSERT_FALSE(HasFatalFailure()) << "seed " << GetParam();
  int total = 0;
  for (const Socket& socket : sockets) {
    EXPECT_EQ(socket.begun, socket.sent) << "seed " << GetParam();
    EXPECT_FALSE(network.sockets[socket.id.value].close_code);
    total += socket.sent;
  }
  EXPECT_GT(total, 500);
  EXPECT_GT(launcher.hosts.size(), 4u) << "some hosts should have died";
}

unsigned seed_count() {
  const char* count = std::getenv("HEARTH_SEEDS");
  return count == nullptr ? 30u : static_cast<unsigned>(std::atoi(count));
}
INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, ::testing::Range(1u, 1u + seed_count()));

}  // namespace
}  // namespace hearth::core
