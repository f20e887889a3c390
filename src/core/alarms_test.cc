#include <gtest/gtest.h>

#include <fstream>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::CoreTest;
using testing::FakeHost;
using testing::Received;

class Alarms : public CoreTest {
 protected:
  void set(const std::string& name, std::int64_t at_ms) {
    host().send(wire::AlarmSet{agent(name), name, at_ms});
    settle();
  }
  // The one alarm that was fired, begun and ended with `outcome`.
  Received fired(std::uint8_t outcome) {
    const auto alarms = host().take("Alarm");
    EXPECT_EQ(alarms.size(), 1u);
    if (alarms.empty()) return {};
    host().begin(alarms[0].slot);
    host().send(wire::AlarmDone{alarms[0].agent, outcome, alarms[0].number});
    host().finish(alarms[0].slot);
    settle();
    return alarms[0];
  }
};

TEST_F(Alarms, FireAtTheirTimeAndOnce) {
  boot();
  const std::int64_t at_ms = world.wall_ms() + 60'000;
  set("a", at_ms);
  world.advance(59'999);
  EXPECT_EQ(host().count("Alarm"), 0u);
  world.advance(1);
  EXPECT_EQ(host().count("AgentWake"), 1u);
  const Received alarm = fired(0);
  EXPECT_EQ(alarm.agent, agent("a"));
  EXPECT_EQ(alarm.text, "a");
  EXPECT_EQ(alarm.number, at_ms);
  EXPECT_EQ(alarm.count, 0u);
  world.advance(3'600'000);
  EXPECT_EQ(host().count("Alarm"), 0u);
  EXPECT_TRUE(registry->alarms().empty());
}

TEST_F(Alarms, AreRetriedSixTimesTwiceAsLateEachTime) {
  boot();
  const std::int64_t at_ms = world.wall_ms() + 1;
  set("a", at_ms);
  world.advance(1);
  std::int64_t wait_ms = 2'000;
  for (std::uint32_t retry = 0; retry <= 6; ++retry) {
    const Received alarm = fired(1);
    EXPECT_EQ(alarm.count, retry);
    EXPECT_EQ(alarm.number, at_ms);
    if (retry == 6) break;
    EXPECT_EQ(registry->alarms().at(0).retries, retry + 1);
    world.advance(static_cast<std::uint32_t>(wait_ms - 1));
    EXPECT_EQ(host().count("Alarm"), 0u) << "retry " << retry;
    world.advance(1);
    wait_ms *= 2;
  }
  EXPECT_TRUE(report.has("failed for the last time"));
  world.advance(3'600'000);
  EXPECT_EQ(host().count("Alarm"), 0u);
  EXPECT_TRUE(registry->alarms().empty());
}

TEST_F(Alarms, SetAnewByTheirHandlerFireAgain) {
  boot();
  const std::int64_t at_ms = world.wall_ms() + 10;
  set("a", at_ms);
  world.advance(10);
  const auto first = host().take("Alarm");
  ASSERT_EQ(first.size(), 1u);
  host().begin(first[0].slot);
  set("a", at_ms + 5);
  world.advance(20);
  EXPECT_EQ(host().count("Alarm"), 0u) << "one handler of an agent's alarm runs at a time";
  host().send(wire::AlarmDone{agent("a"), 0, at_ms});
  host().finish(first[0].slot);
  settle();
  world.advance(0);
  EXPECT_EQ(fired(0).number, at_ms + 5);
}

TEST_F(Alarms, CancelledDoNotFire) {
  boot();
  set("a", world.wall_ms() + 10);
  set("a", -1);
  world.advance(100);
  EXPECT_EQ(host().count("Alarm"), 0u);
  EXPECT_TRUE(registry->alarms().empty());
}

TEST_F(Alarms, WhoseHostDiesBeforeTheyBeginAreHandedOn) {
  boot();
  set("a", world.wall_ms() + 10);
  world.advance(10);
  ASSERT_EQ(host().count("Alarm"), 1u);
  host().die();
  settle();
  EXPECT_EQ(fired(0).count, 0u);
}

TEST_F(Alarms, WhoseHostDiesAfterTheyBeganAreRetried) {
  boot();
  set("a", world.wall_ms() + 10);
  world.advance(10);
  FakeHost& dying = host();
  dying.begin(dying.take("Alarm").at(0).slot);
  dying.die();
  settle();
  EXPECT_EQ(host().count("Alarm"), 0u);
  world.advance(2'000);
  EXPECT_EQ(fired(0).count, 1u);
}

TEST_F(Alarms, WhoseHandlerEndedButWasNotAnsweredForAreRetried) {
  boot();
  set("a", world.wall_ms() + 10);
  world.advance(10);
  FakeHost& dying = host();
  const auto alarm = dying.take("Alarm").at(0);
  dying.begin(alarm.slot);
  dying.finish(alarm.slot);
  dying.die();
  settle();
  world.advance(2'000);
  EXPECT_EQ(fired(0).count, 1u);
}

TEST_F(Alarms, OfAgentsOnADeadHostAreAskedFor) {
  boot();
  open_socket(host(), "a", make_connection_id(0, 1, 1));
  host().die();
  settle();
  EXPECT_EQ(host().take("ProbeAlarm").at(0).agent, agent("a"));
  set("a", world.wall_ms() + 50);
  world.advance(50);
  EXPECT_EQ(fired(0).agent, agent("a"));
}

TEST_F(Alarms, SurviveARestart) {
  boot();
  set("late", world.wall_ms() + 1'000);
  set("soon", world.wall_ms() + 10);
  bool done = false;
  engine->stop([&] { done = true; });
  host().drained();
  settle();
  host().die({0, 0});
  settle();
  ASSERT_TRUE(done);
  engine.reset();
  registry.reset();
  launcher.hosts.clear();
  world.advance(500);
  boot();
  EXPECT_EQ(engine->overdue_alarms(), 1u);
  EXPECT_EQ(host().count("ProbeAlarm"), 0u) << "an orderly shutdown needs no probes";
  world.advance(1);
  EXPECT_EQ(fired(0).agent, agent("soon"));
  world.advance(500);
  EXPECT_EQ(fired(0).agent, agent("late"));
}

TEST_F(Alarms, AreAskedForAfterACrashOfTheCore) {
  boot();
  open_socket(host(), "a", make_connection_id(0, 1, 1));
  const auto folder = state / "do" / "w-Room";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / (agent("b").hex() + ".sqlite-wal")) << "x";
  engine.reset();
  registry.reset();
  launcher.hosts.clear();
  boot();
  std::vector<AgentId> asked;
  for (const Received& each : host().take("ProbeAlarm")) asked.push_back(each.agent);
  std::sort(asked.begin(), asked.end());
  std::vector<AgentId> expected{agent("a"), agent("b")};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(asked, expected);
}

TEST_F(Alarms, WaitWhileTheirHostIsCrowded) {
  options.queue_bytes_max = 1'000;
  boot();
  const net::SocketId socket = open_socket(host(), "b", make_connection_id(0, 1, 1));
  message(socket, std::string(2'000, 'x'));
  set("a", world.wall_ms() + 10);
  world.advance(500);
  EXPECT_EQ(host().count("Alarm"), 0u);
  finish_all(host());
  world.advance(1'000);
  EXPECT_EQ(fired(0).count, 0u);
}

TEST_F(Alarms, OverdueByThousandsFireBoundedAndAllOfThem) {
  boot();
  for (int i = 0; i < 1'000; ++i) {
    const std::string name = std::to_string(i);
    host().send(wire::AlarmSet{agent(name), name, world.wall_ms() - 1});
  }
  settle();
  world.advance(1);
  std::size_t total = 0;
  for (int round = 0; round < 10; ++round) {
    const auto alarms = host().take("Alarm");
    EXPECT_LE(alarms.size(), 256u);
    total += alarms.size();
    for (const Received& each : alarms) {
      host().begin(each.slot);
      host().send(wire::AlarmDone{each.agent, 0, each.number});
      host().finish(each.slot);
    }
    world.advance(1);
  }
  EXPECT_EQ(total, 1'000u);
}

TEST_F(Alarms, CronTriggersFireOnTheMinute) {
  deployment.crons = {{"*/5 * * * *", 1}, {"nonsense"}};
  boot();
  EXPECT_TRUE(report.has("a cron trigger is left out"));
  world.advance(5 * 60'000);
  const auto fired_crons = host().take("Scheduled");
  ASSERT_EQ(fired_crons.size(), 1u);
  EXPECT_EQ(fired_crons[0].text, "*/5 * * * *");
  EXPECT_EQ(fired_crons[0].count, 1u);  // the second worker's
  EXPECT_EQ(fired_crons[0].number % 300'000, 0);
  world.advance(5 * 60'000);
  EXPECT_EQ(host().count("Scheduled"), 1u);
}

}  // namespace
}  // namespace hearth::core
