// limits.cpu_ms: which turns of a host's event loop are too long, and which are not.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::FakeHost;

constexpr std::uint64_t kNsPerMs = 1'000'000;

class TurnLimits : public testing::CoreTest {
 protected:
  void SetUp() override {
    deployment.cpu_ms_max = 100;
    boot();
  }
  void run(FakeHost& host, std::uint32_t ms, bool turns) {
    for (std::uint32_t i = 0; i < ms; ++i) {
      host.cpu_ns += kNsPerMs;
      if (turns) host.turn();
      world.advance(1);
    }
  }
};

TEST_F(TurnLimits, ATurnThatUsesTooMuchOfTheCpuEndsItsHostAndNamesItsAgent) {
  FakeHost& first = host();
  const auto socket = open_socket(first, "a", make_connection_id(0, 1, 1));
  message(socket, "compute");
  settle();
  first.begin(first.take("SocketMessage").at(0).slot);
  const AgentId marked = agent("a");
  first.mark(&marked);
  run(first, 90, false);
  EXPECT_FALSE(first.killed);
  run(first, 4'000, false);
  EXPECT_TRUE(first.killed);
  EXPECT_TRUE(report.has("R416: one turn of its event loop used"));
  EXPECT_TRUE(report.has("limits.cpu_ms allows 100 by Room/a"));
  EXPECT_FALSE(network.sockets[socket.value].close_code);
}

TEST_F(TurnLimits, WaitsForTheStackAMomentAndNoLongerThanItTakes) {
  FakeHost& first = host();
  std::filesystem::create_directories(state / "cache");
  std::ofstream(state / "cache" / "blocked-1.json")
      << R"j({"stack":"    at spin (/app/server.ts:6:3)"})j";
  run(first, 130, false);
  EXPECT_TRUE(first.killed);
  EXPECT_TRUE(report.has("/app/server.ts:6:3"));
}

TEST_F(TurnLimits, ManyTurnsMayUseWhatOneMayNot) {
  run(host(), 10'000, true);
  EXPECT_FALSE(report.has("R416"));
}

TEST_F(TurnLimits, TimeThatIsNotUsedIsNotCounted) {
  host().blocked = true;  // by a call that waits, or on a machine that is busy elsewhere
  world.advance(20'000);
  EXPECT_FALSE(report.has("R416"));
}

TEST_F(TurnLimits, ATurnThatEndsBeforeItIsEndedIsLeftAlone) {
  FakeHost& first = host();
  run(first, 300, false);
  ASSERT_FALSE(first.killed) << "the stack is waited for";
  first.turn();
  run(first, 80, false);
  world.advance(5'000);
  EXPECT_FALSE(first.killed);
}

TEST_F(TurnLimits, ADeploymentWithoutALimitHasNone) {
  deployment.cpu_ms_max = 0;
  deploy();
  settle();
  for (const auto& each : launcher.hosts) {
    if (each->count("Drain") > 0) each->drained();
  }
  settle();
  run(host(), 5'000, false);
  EXPECT_FALSE(report.has("R416"));
}

}  // namespace
}  // namespace hearth::core
