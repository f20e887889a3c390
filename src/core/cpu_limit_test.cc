// Hosts are held to their share of the CPU: how much that is, who is not held, and what is said.
#include <gtest/gtest.h>

#include "core/cpu_budget.h"
#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::FakeHost;

constexpr std::uint64_t kNsPerMs = 1'000'000;

// What a process that always wants `cores` gets of 10 s, in milliseconds.
std::uint64_t used_in_ten_seconds(unsigned percent, unsigned cores, std::int64_t late_ms = 0) {
  CpuBudget budget(percent);
  std::uint64_t used_ns = 5'000 * kNsPerMs;  // before it was looked at
  std::int64_t now_ms = 1'000;
  bool runs = true;
  while (now_ms < 11'000) {
    runs = budget.settle(now_ms, used_ns);
    const std::int64_t step_ms = budget.look_again_ms(now_ms) + late_ms;
    EXPECT_GT(step_ms, 0);
    EXPECT_LE(step_ms, CpuBudget::kPeriodMs + late_ms);
    now_ms += step_ms;
    if (runs) used_ns += static_cast<std::uint64_t>(step_ms) * cores * kNsPerMs;
  }
  return used_ns / kNsPerMs - 5'000;
}

TEST(CpuBudget, GivesAShareOfACoreAndNoMore) {
  for (const unsigned percent : {1u, 5u, 10u, 33u, 50u, 90u}) {
    const double share = static_cast<double>(used_in_ten_seconds(percent, 1)) / 100.0;
    EXPECT_NEAR(share, percent, 1.5) << percent;
  }
  EXPECT_NEAR(static_cast<double>(used_in_ten_seconds(150, 4)) / 100.0, 150, 6);
  EXPECT_NEAR(static_cast<double>(used_in_ten_seconds(50, 1, 7)) / 100.0, 50, 3)
      << "looks are late";
}

TEST(CpuBudget, LeavesThoseAloneThatUseLess) {
  EXPECT_GE(used_in_ten_seconds(100, 1), 10'000u);
  EXPECT_GE(used_in_ten_seconds(250, 2), 20'000u);
}

TEST(CpuBudget, KeepsNothingOfWhatWasNotUsedAndOwesASecondAtMost) {
  CpuBudget budget(50);
  EXPECT_TRUE(budget.settle(0, 0));
  EXPECT_TRUE(budget.settle(60'000, 0));
  EXPECT_FALSE(budget.settle(60'050, 50 * kNsPerMs)) << "a minute of rest saves nothing up";
  EXPECT_TRUE(budget.settle(60'100, 50 * kNsPerMs));
  // Nobody looked for a minute in which it used all it could.
  std::uint64_t used_ns = 60'000 * kNsPerMs;
  std::int64_t now_ms = 120'099;
  std::int64_t held_ms = 0;
  while (!budget.settle(now_ms, used_ns)) {
    const std::int64_t step_ms = budget.look_again_ms(now_ms);
    now_ms += step_ms;
    held_ms += step_ms;
  }
  EXPECT_LE(held_ms, 1'100);
}

class Held : public testing::CoreTest {
 protected:
  void SetUp() override {
    options.host_cpu_percent = 50;
    boot();
  }
  // A host whose code never rests.
  void burn(FakeHost& host, std::uint32_t ms) {
    for (std::uint32_t i = 0; i < ms; ++i) {
      if (!host.stopped) host.cpu_ns += kNsPerMs;
      world.advance(1);
    }
  }
  std::ptrdiff_t told() const {
    return std::count_if(report.lines.begin(), report.lines.end(), [](const std::string& line) {
      return line.find("R417") != std::string::npos;
    });
  }
};

TEST_F(Held, AHostThatWantsMoreThanItsShareIsStoppedForTheRestOfEachPeriod) {
  FakeHost& busy = host();
  const auto socket = open_socket(busy, "a", make_connection_id(0, 1, 1));
  message(socket, "compute");
  settle();
  const auto event = busy.take("SocketMessage").at(0);
  busy.begin(event.slot);
  busy.run(event.slot);
  const std::uint64_t before_ns = busy.cpu_ns;
  burn(busy, 10'000);
  EXPECT_NEAR(static_cast<double>(busy.cpu_ns - before_ns) / 1e6, 5'000, 200);
  EXPECT_TRUE(report.has("% of a core; Room/a was at work"));
  EXPECT_EQ(told(), 1);
  const Health health = engine->health();
  EXPECT_EQ(health.host_cpu_percent, 50u);
  EXPECT_NEAR(static_cast<double>(health.hosts.at(0).held_ms), 5'000, 200);
  EXPECT_GE(health.hosts.at(0).cpu_ms, 4'800u);
  burn(busy, 60'000);
  EXPECT_EQ(told(), 2);
}

TEST_F(Held, AHostThatRestsIsNeverStopped) {
  FakeHost& quiet = host();
  for (int i = 0; i < 200; ++i) {
    quiet.cpu_ns += 10 * kNsPerMs;
    world.advance(50);
    ASSERT_FALSE(quiet.stopped);
  }
  EXPECT_FALSE(report.has("R417"));
}

TEST_F(Held, TheTimeForWhichItIsHeldIsNotItsOwn) {
  options.blocked_ms_max = 30'000;
  FakeHost& busy = host();
  const auto socket = open_socket(busy, "a", make_connection_id(0, 1, 1));
  busy.blocked = true;
  burn(busy, 45'000);
  EXPECT_FALSE(busy.killed) << "it ran for half of that time";
  burn(busy, 30'000);
  EXPECT_TRUE(busy.killed);
  EXPECT_TRUE(report.has("R409"));
  EXPECT_FALSE(network.sockets[socket.value].close_code);
}

TEST_F(Held, WhoeverDrainsOrStartsIsNotHeld) {
  FakeHost& busy = host();
  burn(busy, 60);
  ASSERT_TRUE(busy.stopped);
  deploy();
  settle();
  for (int i = 0; i < 50 && busy.count("Drain") == 0; ++i) world.advance(10);
  ASSERT_EQ(busy.count("Drain"), 1u);
  EXPECT_FALSE(busy.stopped);
  burn(busy, 500);
  EXPECT_FALSE(busy.stopped) << "it has its deadline";
  busy.drained();
  settle();
  launcher.ready_at_once = false;
  host().die();
  settle();
  FakeHost& starting = *launcher.hosts.back();
  burn(starting, 1'000);
  EXPECT_FALSE(starting.stopped);
}

TEST_F(Held, AShutdownLetsItGoOn) {
  FakeHost& busy = host();
  burn(busy, 60);
  ASSERT_TRUE(busy.stopped);
  bool stopped = false;
  engine->stop([&] { stopped = true; });
  settle();
  EXPECT_FALSE(busy.stopped);
  busy.drained();
  busy.die();
  settle();
  for (const auto& each : launcher.hosts) each->die();
  settle();
  EXPECT_TRUE(stopped);
}

class NotHeld : public testing::CoreTest {};

TEST_F(NotHeld, LooksAtNoHostsCpuWithoutALimit) {
  boot();
  FakeHost& busy = host();
  const std::size_t timers = world.timers();
  for (int i = 0; i < 100; ++i) {
    busy.cpu_ns += 100 * kNsPerMs;
    world.advance(50);
    ASSERT_FALSE(busy.stopped);
    ASSERT_LE(world.timers(), timers);
  }
}

}  // namespace
}  // namespace hearth::core
