// Agents that move one at a time from a host that is replaced to the next: who is where, what goes
// to whom, and what becomes of those that are never quiet.
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::connection;
using testing::CoreTest;
using testing::FakeHost;
using testing::Received;
using testing::texts;

class EngineMovesTest : public CoreTest {
 protected:
  EngineMovesTest() { options.supervisor.patience_ms = 10'000; }

  void boot_with(const std::vector<std::string>& names) {
    boot();
    old_ = &host();
    for (const std::string& name : names) {
      sockets_[name] = open_socket(*old_, name, connection(++last_));
    }
  }
  void send(const std::string& name, const std::string& text) {
    message(sockets_.at(name), text);
    settle();
  }
  void wait(std::uint32_t ms) {
    for (std::uint32_t passed = 0; passed < ms; passed += 25) {
      world.advance(25);
      settle();
    }
  }
  // The message that this host was given last begins there, and lasts.
  std::uint32_t begin_last(FakeHost& on) {
    const std::uint32_t slot = on.take("SocketMessage").back().slot;
    on.begin(slot);
    return slot;
  }
  void finish(FakeHost& on, std::uint32_t slot) {
    on.finish(slot);
    on.send(wire::Log{0, "{}"});
    settle();
  }
  void moved(const std::string& name) {
    old_->send(wire::AgentMoved{agent(name)});
    settle();
  }
  void stays(const std::string& name) {
    old_->send(wire::AgentStays{agent(name)});
    settle();
  }

  FakeHost* old_ = nullptr;
  std::map<std::string, net::SocketId> sockets_;
  unsigned last_ = 0;
};

TEST_F(EngineMovesTest, TheNextHostServesAtOnceAndEachAgentMovesWhenItIsQuiet) {
  boot_with({"busy", "idle"});
  send("busy", "lasts");
  const std::uint32_t lasting = begin_last(*old_);
  deploy();
  FakeHost& next = host();
  ASSERT_NE(&next, old_);
  EXPECT_EQ(old_->count("AgentMove"), 2u);
  EXPECT_EQ(old_->count("Drain") + old_->count("DrainIfQuiet"), 0u);

  send("idle", "while it is asked");
  EXPECT_EQ(old_->count("SocketMessage") + next.count("SocketMessage"), 0u);
  moved("idle");
  EXPECT_EQ(next.count("AgentWake"), 1u);
  EXPECT_EQ(next.count("AgentSocket"), 1u);
  EXPECT_EQ(texts(next.take("SocketMessage")), (std::vector<std::string>{"while it is asked"}));

  send("busy", "second");
  stays("busy");
  EXPECT_EQ(texts(old_->take("SocketMessage")), (std::vector<std::string>{"second"}));
  old_->take("AgentMove");
  wait(300);
  ASSERT_EQ(old_->count("AgentMove"), 1u) << "it is asked again";
  send("busy", "third");
  finish(*old_, lasting);
  EXPECT_EQ(next.count("SocketMessage"), 0u);
  moved("busy");
  EXPECT_EQ(texts(next.take("SocketMessage")), (std::vector<std::string>{"third"}));
  EXPECT_FALSE(network.sockets[sockets_.at("busy").value].close_code);
}

TEST_F(EngineMovesTest, AHostThatNothingIsLeftOnEndsEarlyAndNoSooner) {
  boot_with({"one"});
  const std::uint64_t request_number = request("/lasts");
  const std::uint32_t slot = old_->take("Fetch")[0].slot;
  old_->begin(slot);
  deploy();
  moved("one");
  wait(1'000);
  EXPECT_EQ(old_->count("DrainIfQuiet"), 0u) << "a request is answered there";
  old_->send(wire::Respond{{request_number}, 200, 0, "OK", {}, {}});
  finish(*old_, slot);
  wait(600);
  ASSERT_EQ(old_->take("DrainIfQuiet").size(), 1u);
  old_->send(wire::NotQuiet{});
  settle();
  wait(600);
  ASSERT_EQ(old_->take("DrainIfQuiet").size(), 1u) << "it is asked again";
  old_->drained();
  settle();
  wait(1'000);
  EXPECT_EQ(launcher.hosts.size(), 4u);
}

TEST_F(EngineMovesTest, WhatIsNeverQuietIsDrainedWhenPatienceEnds) {
  boot_with({"busy"});
  send("busy", "lasts");
  begin_last(*old_);
  deploy();
  for (int i = 0; i < 500 && old_->count("Drain") == 0; ++i) {
    if (old_->take("AgentMove").size() > 0) stays("busy");
    wait(25);
  }
  ASSERT_EQ(old_->count("Drain"), 1u);
  send("busy", "for the new code");
  EXPECT_EQ(old_->count("SocketMessage"), 0u);
  wait(2'200);
  EXPECT_TRUE(old_->killed);
  settle();
  FakeHost& next = host();
  EXPECT_EQ(texts(next.take("SocketMessage")), (std::vector<std::string>{"for the new code"}));
  EXPECT_EQ(next.count("AgentWake"), 1u);
  EXPECT_TRUE(report.has("had begun"));
}

TEST_F(EngineMovesTest, ALeavingHostThatDiesLeavesItsEventsToTheNextInOrder) {
  boot_with({"one"});
  deploy();
  FakeHost& next = host();
  stays("one");
  send("one", "1");
  send("one", "2");
  old_->begin(old_->take("SocketMessage")[0].slot);
  wait(300);
  ASSERT_EQ(old_->count("AgentMove"), 2u);
  send("one", "3");
  old_->die();
  settle();
  send("one", "4");
  EXPECT_EQ(texts(next.take("SocketMessage")), (std::vector<std::string>{"2", "3", "4"}));
  EXPECT_FALSE(network.sockets[sockets_.at("one").value].close_code);
  EXPECT_EQ(&host(), &next);
}

TEST_F(EngineMovesTest, ANewHostThatDiesIsFollowedByTheSpareAndTheLeavingOneKeepsItsAgents) {
  boot_with({"stays", "goes"});
  deploy();
  FakeHost& next = host();
  stays("stays");
  moved("goes");
  send("goes", "1");
  settle();
  world.advance(500);
  settle();
  next.die();
  settle();
  FakeHost& third = host();
  ASSERT_NE(&third, &next);
  ASSERT_NE(&third, old_);
  send("stays", "2");
  EXPECT_EQ(texts(third.take("SocketMessage")), (std::vector<std::string>{"1"}));
  old_->take("AgentMove");
  stays("stays");
  EXPECT_EQ(texts(old_->take("SocketMessage")), (std::vector<std::string>{"2"}));
}

TEST_F(EngineMovesTest, CallersAreToldWhereAnAgentIs) {
  boot_with({"stays", "goes"});
  deploy();
  FakeHost& next = host();
  const std::uint32_t old_number = next.take("HostServes").size() > 0 ? 0u : 1u;
  stays("stays");
  moved("goes");
  next.send(wire::AgentOpened{agent("stays"), "stays"});
  settle();
  const auto there = next.take("AgentElsewhere");
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].count, old_number) << "the first host of all";
  EXPECT_EQ(next.count("AgentWake"), 0u);

  const std::uint32_t next_number =
      static_cast<std::uint32_t>(old_->take("HostServes").back().number);
  old_->send(wire::AgentOpened{agent("goes"), "goes"});
  old_->send(wire::AgentOpened{agent("another"), "another"});
  settle();
  const auto back = old_->take("AgentElsewhere");
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].count, next_number);
  EXPECT_EQ(back[1].count, next_number) << "what sleeps is opened by the slot's host alone";
  next.send(wire::AgentOpened{agent("another"), "another"});
  settle();
  EXPECT_EQ(next.count("AgentWake"), 1u);

  old_->send(wire::PeerSend{next_number, "a call"});
  next.send(wire::PeerSend{old_number, "an answer"});
  settle();
  EXPECT_EQ(texts(next.take("PeerData")), (std::vector<std::string>{"a call"}));
  EXPECT_EQ(texts(old_->take("PeerData")), (std::vector<std::string>{"an answer"}));
}

// An agent that was allowed to sleep and has been called before it heard so stays, and the next
// host must not have it meanwhile.
TEST_F(EngineMovesTest, TheNextHostWaitsForWhatTheFormerHadSaid) {
  boot_with({"one"});
  old_->leaves_at_once = false;
  old_->send(wire::AgentSleep{agent("one"), 0});
  settle();
  ASSERT_EQ(old_->count("SleepAccepted"), 1u);
  deploy();
  ASSERT_EQ(old_->count("Leave"), 1u);
  EXPECT_EQ(&host(), old_) << "it serves until it has heard";
  old_->send(wire::AgentOpened{agent("one"), "one"});
  old_->send(wire::Leaving{});
  settle();
  FakeHost& next = host();
  ASSERT_NE(&next, old_);
  EXPECT_EQ(old_->count("AgentMove"), 1u);
  send("one", "x");
  EXPECT_EQ(next.count("SocketMessage"), 0u);
  old_->send(wire::AgentSleep{agent("one"), 0});
  settle();
  EXPECT_EQ(old_->count("SleepAccepted"), 1u) << "it is let go by AgentMoved alone";
  moved("one");
  EXPECT_EQ(next.count("SocketMessage"), 1u);
}

TEST_F(EngineMovesTest, AlarmsGoWhereTheirAgentIs) {
  boot_with({"stays", "goes"});
  old_->send(wire::AlarmSet{agent("stays"), "stays", world.wall_ms() + 200});
  old_->send(wire::AlarmSet{agent("goes"), "goes", world.wall_ms() + 200});
  settle();
  deploy();
  FakeHost& next = host();
  stays("stays");
  moved("goes");
  wait(225);
  const auto here = next.take("Alarm");
  const auto there = old_->take("Alarm");
  ASSERT_EQ(here.size(), 1u);
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].agent, agent("stays"));
  // The end of one host is no failure of the alarm that runs on the other.
  next.begin(here[0].slot);
  old_->die();
  settle();
  next.send(wire::AlarmDone{agent("goes"), 0, here[0].number});
  finish(next, here[0].slot);
  wait(3'000);
  const auto again = next.take("Alarm");
  ASSERT_EQ(again.size(), 1u) << "one had not begun; the other is done";
  EXPECT_EQ(again[0].agent, agent("stays"));
}

TEST_F(EngineMovesTest, ASocketOfTheWorkersStaysWithItsHost) {
  boot();
  old_ = &host();
  const net::SocketId socket = open_socket(*old_, "any", connection(1), wire::kSocketOfWorker);
  deploy();
  FakeHost& next = host();
  message(socket, "hello");
  settle();
  EXPECT_EQ(old_->count("SocketMessage"), 1u);
  EXPECT_EQ(next.count("SocketMessage"), 0u);
  wait(1'000);
  EXPECT_EQ(old_->count("DrainIfQuiet"), 0u) << "it lasts until patience ends";
  wait(9'500);
  EXPECT_EQ(old_->count("Drain"), 1u);
  old_->drained();
  settle();
  EXPECT_EQ(network.sockets[socket.value].close_code, 1012);
}

TEST_F(EngineMovesTest, ADeployWaitsForAHostThatStillLeaves) {
  boot_with({"busy"});
  deploy();
  FakeHost& second = host();
  stays("busy");
  deploy();
  wait(1'000);
  EXPECT_EQ(&host(), &second) << "a slot has one host that leaves";
  for (int i = 0; i < 500 && old_->count("Drain") == 0; ++i) {
    if (old_->take("AgentMove").size() > 0) stays("busy");
    wait(25);
  }
  old_->drained();
  settle();
  EXPECT_NE(&host(), &second);
  EXPECT_EQ(second.count("Drain"), 0u);
}

TEST_F(EngineMovesTest, MigrationsThatConcernAgentsWaitForAllOfThem) {
  boot_with({"busy"});
  deploy();
  FakeHost& second = host();
  stays("busy");
  deployment.whole_move = true;
  deploy();
  EXPECT_EQ(old_->count("Drain"), 1u) << "it has no more time";
  EXPECT_EQ(second.count("DrainIfQuiet"), 1u);
  second.drained();
  settle();
  send("busy", "x");
  EXPECT_EQ(launcher.hosts.back()->count("Promote"), 0u);
  old_->drained();
  settle();
  EXPECT_EQ(texts(host().take("SocketMessage")), (std::vector<std::string>{"x"}));
}

TEST_F(EngineMovesTest, AShutdownDrainsBoth) {
  boot_with({"busy"});
  deploy();
  FakeHost& next = host();
  stays("busy");
  bool done = false;
  engine->stop([&] { done = true; });
  settle();
  EXPECT_EQ(old_->count("Drain"), 1u);
  EXPECT_EQ(next.count("Drain"), 1u);
  for (FakeHost* each : {old_, &next}) {
    each->drained();
    settle();
    each->die({0, 0});
  }
  settle();
  world.advance(10);
  EXPECT_TRUE(done);
}

TEST_F(EngineMovesTest, ALeavingHostIsWatchedAsAnyOther) {
  options.blocked_ms_max = 2'000;
  options.host_memory_bytes = 100 << 20;
  boot_with({"busy"});
  deploy();
  stays("busy");
  old_->blocked = true;
  wait(4'000);
  EXPECT_TRUE(old_->killed);
  EXPECT_TRUE(report.has("R409"));
  settle();
  old_ = &host();
  deploy();
  ASSERT_NE(&host(), old_);
  old_->resident_bytes = 101 << 20;
  wait(1'000);
  EXPECT_TRUE(old_->killed);
  EXPECT_TRUE(report.has("--host-memory"));
}

// What comes for agents that are asked counts as what waits for their host does.
TEST_F(EngineMovesTest, WhatIsKeptForAnAgentIsBounded) {
  options.queue_events_max = 4;
  boot_with({"asked"});
  deploy();
  ASSERT_EQ(old_->count("AgentMove"), 1u);
  for (int i = 0; i < 6; ++i) message(sockets_.at("asked"), std::to_string(i));
  settle();
  EXPECT_TRUE(network.sockets[sockets_.at("asked").value].paused);
  EXPECT_EQ(engine->pending(0), 6u);
  moved("asked");
  FakeHost& next = host();
  EXPECT_EQ(texts(next.take("SocketMessage")),
            (std::vector<std::string>{"0", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(engine->pending(0), 0u);
  finish_all(next);
  wait(50);
  EXPECT_FALSE(network.sockets[sockets_.at("asked").value].paused);
}

}  // namespace
}  // namespace hearth::core
