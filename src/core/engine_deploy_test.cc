// One deployment after another: when what is served changes, and when it does not.
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::CoreTest;
using testing::FakeHost;

class EngineDeployTest : public CoreTest {
 protected:
  // The same worker with one class more, as deployments that change something have it.
  void add_class() {
    deployment.namespaces.push_back({"Other", "w-Other"});
    deployment.worker_json = R"({"namespaces":[{"className":"Room","uniqueKey":"w-Room"},)"
                             R"({"className":"Other","uniqueKey":"w-Other"}],"bindings":[]})";
    deployment.routes.push_back({"other", "OTHER", 1, "", "Other"});
  }
};

TEST_F(EngineDeployTest, WhatDoesNotLoadChangesNothing) {
  boot();
  FakeHost& first = host();
  add_class();
  launcher.ready_at_once = false;
  deploy();
  FakeHost& next = *launcher.hosts.back();
  ASSERT_NE(&next, &first);
  request("/agents/other/one");  // not served yet: the former code is asked
  EXPECT_EQ(first.count("Fetch"), 1u);
  next.send(wire::LoadFailed{R"({"message":"no"})"});
  settle();
  EXPECT_EQ(first.count("Drain"), 0u);
  request("/agents/room/two");
  EXPECT_EQ(first.count("Fetch"), 2u);
}

TEST_F(EngineDeployTest, CronTriggersAreTheFormerCodesUntilTheNewOneHasLoaded) {
  deployment.crons = {{"*/5 * * * *", 0}};
  options.supervisor.load_ms_max = 3'600'000;
  boot();
  FakeHost& first = host();
  launcher.ready_at_once = false;
  deployment.crons = {{"*/7 * * * *", 0}};
  add_class();
  deploy();
  std::shared_ptr<FakeHost> next = launcher.hosts.back();
  world.advance(5 * 60'000);
  const auto former = first.take("Scheduled");
  ASSERT_EQ(former.size(), 1u);
  EXPECT_EQ(former[0].text, "*/5 * * * *");
  first.begin(former[0].slot);
  first.finish(former[0].slot);
  next->ready();
  settle();
  first.drained();
  settle();
  world.advance(35 * 60'000);
  const auto later = next->take("Scheduled");
  ASSERT_GE(later.size(), 1u);
  for (const auto& each : later) EXPECT_EQ(each.text, "*/7 * * * *");
}

TEST_F(EngineDeployTest, WhatWasReplacedBeforeItLoadedIsNeverServed) {
  boot();
  FakeHost& first = host();
  launcher.ready_at_once = false;
  add_class();
  deploy();
  std::shared_ptr<FakeHost> obsolete = launcher.hosts.back();
  deploy();
  std::shared_ptr<FakeHost> last = launcher.hosts.back();
  ASSERT_NE(obsolete, last);
  if (!obsolete->killed) obsolete->ready();
  settle();
  EXPECT_TRUE(obsolete->killed);
  EXPECT_EQ(first.count("Drain"), 0u);
  last->ready();
  settle();
  EXPECT_EQ(first.count("Drain"), 1u);
}

// Where migrations concern agents, hosts are replaced as a whole.
TEST_F(EngineDeployTest, WaitsForWhatLasts) {
  options.supervisor.patience_ms = 10'000;
  deployment.whole_move = true;
  boot();
  FakeHost& first = host();
  open_socket(first, "one", ConnectionId{1});
  const AgentId one = agent("one");
  first.send(wire::AgentWorking{one, 1});
  settle();
  add_class();
  deploy();
  world.advance(5'000);
  settle();
  EXPECT_EQ(first.count("DrainIfQuiet"), 0u);
  first.send(wire::AgentWorking{one, 0});
  settle();
  world.advance(100);
  settle();
  EXPECT_EQ(first.count("DrainIfQuiet"), 1u);
  EXPECT_EQ(first.count("Drain"), 0u);
}

// What begins just before a deploy may last: the host says so, and goes on for the neighbours.
TEST_F(EngineDeployTest, AHostThatIsNotQuietGoesOnWithEverybodysEvents) {
  options.supervisor.patience_ms = 10'000;
  deployment.whole_move = true;
  boot();
  FakeHost& first = host();
  const net::SocketId one = open_socket(first, "one", ConnectionId{1});
  const net::SocketId two = open_socket(first, "two", ConnectionId{2});
  message(one, "lasts");
  settle();
  first.begin(first.take("SocketMessage").at(0).slot);
  add_class();
  deploy();
  ASSERT_EQ(first.count("DrainIfQuiet"), 1u);
  message(two, "waits for the answer");
  settle();
  EXPECT_EQ(first.count("SocketMessage"), 0u);
  first.send(wire::NotQuiet{});
  settle();
  EXPECT_EQ(first.count("SocketMessage"), 1u) << "the neighbour is served by the former code";
  message(two, "does not wait");
  settle();
  EXPECT_EQ(first.count("SocketMessage"), 2u);
  EXPECT_EQ(first.count("DrainIfQuiet"), 1u) << "not asked again at once";
  world.advance(11'500);  // its loop is blocked when it is asked again: that has patience's time
  settle();
  EXPECT_EQ(first.count("DrainIfQuiet"), 2u);
  EXPECT_FALSE(first.killed);
  world.advance(1'000);
  settle();
  EXPECT_TRUE(first.killed);
}

TEST_F(EngineDeployTest, AHostThatIsNotQuietIsAskedAgainAndThenDrainedWhenPatienceEnds) {
  options.supervisor.patience_ms = 3'000;
  deployment.whole_move = true;
  boot();
  FakeHost& first = host();
  const net::SocketId socket = open_socket(first, "one", ConnectionId{1});
  message(socket, "lasts");
  settle();
  first.begin(first.take("SocketMessage").at(0).slot);
  add_class();
  deploy();
  std::size_t asked = 0;
  for (int i = 0; i < 200 && first.count("Drain") == 0; ++i) {
    if (first.take("DrainIfQuiet").size() > 0) {
      ++asked;
      first.send(wire::NotQuiet{});
    }
    settle();
    world.advance(25);
    settle();
  }
  EXPECT_GE(asked, 3u);
  EXPECT_EQ(first.count("Drain"), 1u);
  message(socket, "for the new code");
  first.drained();
  settle();
  EXPECT_EQ(launcher.hosts.back()->count("SocketMessage") + host().count("SocketMessage"), 1u);
}

TEST_F(EngineDeployTest, ANotQuietThatNobodyAskedForChangesNothing) {
  boot();
  FakeHost& first = host();
  first.send(wire::NotQuiet{});
  settle();
  add_class();
  deploy();  // no patience: it is drained
  ASSERT_EQ(first.count("Drain"), 1u);
  first.send(wire::NotQuiet{});
  request("/agents/room/one");
  EXPECT_EQ(first.count("Fetch"), 0u);
  first.drained();
  settle();
  EXPECT_FALSE(first.killed && host().killed);
}

TEST_F(EngineDeployTest, WaitsForWhatLastsNoLongerThanItsPatience) {
  options.supervisor.patience_ms = 10'000;
  deployment.whole_move = true;
  boot();
  FakeHost& first = host();
  open_socket(first, "one", ConnectionId{1});
  first.send(wire::AgentWorking{agent("one"), 1});
  settle();
  add_class();
  deploy();
  world.advance(10'100);
  settle();
  EXPECT_EQ(first.count("Drain"), 1u);
}

TEST_F(EngineDeployTest, ADeletedClassClosesItsSocketsAndForgetsItsAlarms) {
  boot();
  const net::SocketId socket = open_socket(host(), "one", ConnectionId{1});
  host().send(wire::AlarmSet{agent("one"), "one", world.wall_ms() + 60'000});
  settle();
  ASSERT_EQ(registry->alarms().size(), 1u);
  engine->close_class("w-Room");
  settle();
  EXPECT_EQ(network.sockets[socket.value].close_code, 4410);
  EXPECT_TRUE(registry->alarms().empty());
}

}  // namespace
}  // namespace hearth::core
