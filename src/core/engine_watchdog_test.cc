// Hosts that do nothing more, found from outside: those that were stopped, and loops that are
// blocked where no event is served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::connection;
using testing::CoreTest;
using testing::FakeHost;
using testing::texts;

class EngineWatchdogTest : public CoreTest {
 protected:
  void deploy_another() {
    deployment.worker_json.insert(1, R"("version":2,)");
    deploy();
  }
};

TEST_F(EngineWatchdogTest, EndsAHostThatWasStoppedAndGoesOnAtOnce) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  FakeHost& first = host();
  first.stopped = first.blocked = true;
  message(socket, "waits");
  settle();
  world.advance(1'000);
  EXPECT_FALSE(first.killed) << "whoever stopped it may let it go on";
  world.advance(2'000);
  EXPECT_TRUE(first.killed);
  EXPECT_TRUE(report.has("stopped by a signal"));
  EXPECT_EQ(texts(host().take("SocketMessage")), (std::vector<std::string>{"waits"}));
  EXPECT_FALSE(network.sockets[socket.value].close_code);
}

TEST_F(EngineWatchdogTest, BlamesNobodyForAHostThatWasStopped) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  for (int i = 0; i < 5; ++i) {
    FakeHost& stopped = host();
    message(socket, "begins");
    settle();
    stopped.begin(stopped.take("SocketMessage").back().slot);
    stopped.stopped = stopped.blocked = true;
    world.advance(3'000);
    ASSERT_TRUE(stopped.killed);
  }
  EXPECT_FALSE(network.sockets[socket.value].close_code) << "no quarantine";
}

TEST_F(EngineWatchdogTest, LeavesAHostThatWasStoppedForAMoment) {
  boot();
  FakeHost& first = host();
  for (int i = 0; i < 20; ++i) {
    first.stopped = true;
    world.advance(1'400);
    first.stopped = false;
    world.advance(600);
  }
  EXPECT_FALSE(first.killed);
}

TEST_F(EngineWatchdogTest, ReplacesAStoppedSpareBeforeItIsNeeded) {
  boot();
  ASSERT_EQ(launcher.hosts.size(), 2u);
  FakeHost& spare = *launcher.hosts[1];
  spare.stopped = spare.blocked = true;
  world.advance(3'000);
  EXPECT_TRUE(spare.killed);
  ASSERT_EQ(launcher.hosts.size(), 3u);
  host().die();
  settle();
  EXPECT_EQ(&host(), launcher.hosts[2].get());
}

TEST_F(EngineWatchdogTest, ReplacesAHostThatIsStoppedWhileItStarts) {
  launcher.ready_at_once = false;
  boot();
  ASSERT_EQ(launcher.hosts.size(), 1u);
  launcher.hosts[0]->stopped = true;
  launcher.ready_at_once = true;
  world.advance(3'000);
  EXPECT_TRUE(launcher.hosts[0]->killed);
  request("/");
  EXPECT_EQ(host().count("Fetch"), 1u) << "in seconds, not in the minute that a load may take";
}

TEST_F(EngineWatchdogTest, ReplacesASpareWhoseLoopIsBlocked) {
  boot();
  FakeHost& spare = *launcher.hosts[1];
  world.advance(120'000);
  EXPECT_FALSE(spare.killed) << "nothing to do is no sign of anything";
  spare.blocked = true;
  world.advance(40'000);
  EXPECT_TRUE(spare.killed);
  EXPECT_TRUE(report.has("R409"));
}

TEST_F(EngineWatchdogTest, GivesALoopThatWaitsForACpuMoreTimeAndNotAllThereIs) {
  options.blocked_ms_max = 2'000;
  boot();
  FakeHost& first = host();
  first.blocked = true;
  const auto starve = [&](int times) {
    for (int i = 0; i < times; ++i) {
      first.waited_ns += 400'000'000;
      world.advance(400);
    }
  };
  starve(10);
  EXPECT_FALSE(first.killed) << "four seconds, in which it could not run";
  starve(10);
  EXPECT_TRUE(first.killed) << "it may be blocked all the same";
}

TEST_F(EngineWatchdogTest, EndsAHostThatBlocksItsLoopWhileItDrains) {
  options.supervisor.patience_ms = 10'000;
  deployment.whole_move = true;  // so that it drains
  options.blocked_ms_max = 2'000;
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  FakeHost& first = host();
  first.blocked = true;
  deploy_another();
  ASSERT_EQ(first.count("DrainIfQuiet"), 1u);
  message(socket, "waits");
  settle();
  world.advance(4'000);
  EXPECT_TRUE(first.killed) << "not after patience and the drain's time";
  EXPECT_EQ(texts(host().take("SocketMessage")), (std::vector<std::string>{"waits"}));
}

TEST_F(EngineWatchdogTest, EndsAHostThatTakesAllMemoryWhileItDrains) {
  options.supervisor.patience_ms = 10'000;
  deployment.whole_move = true;  // so that it drains
  options.host_memory_bytes = 100 << 20;
  boot();
  FakeHost& first = host();
  deploy_another();
  ASSERT_EQ(first.count("DrainIfQuiet"), 1u);
  first.resident_bytes = 101 << 20;
  world.advance(1'000);
  EXPECT_TRUE(first.killed);
  EXPECT_TRUE(report.has("--host-memory"));
}

TEST_F(EngineWatchdogTest, LeavesStoppedHostsToTheDebuggerThatStoppedThem) {
  options.blocked_ms_max = 0;
  boot();
  host().stopped = true;
  world.advance(600'000);
  EXPECT_FALSE(host().killed);
}

}  // namespace
}  // namespace hearth::core
