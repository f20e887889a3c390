// What the engine notes of its agents, in the ledger's words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/ledger_file.h"
#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::FakeHost;
using ::testing::HasSubstr;

struct Lines final : LedgerSink {
  std::string text;
  bool take(std::unique_ptr<LedgerBatch> batch) override {
    for (const LedgerBatch::Entry& each : batch->entries) {
      text += describe({each.at_ms, each.kind, each.host, each.code, each.number,
                        std::string(batch->text(each))}) +
              "\n";
    }
    return true;
  }
};

class EngineLedger : public testing::CoreTest {
 protected:
  void SetUp() override {
    ledger = &notes_;
    boot();
  }
  // What was noted since the last call, one line each.
  std::string told() {
    notes_.flush();
    return std::exchange(sink_.text, {});
  }
  Lines sink_;
  Ledger notes_{world, world, sink_};
  const ConnectionId id_ = make_connection_id(0, 1, 255);
};

TEST_F(EngineLedger, TellsWhyAnAgentWokeAndSleptAndWhatItsSocketsMet) {
  const auto socket = open_socket(host(), "a", id_);
  EXPECT_EQ(told(),
            "woke on host 1 for a call, version 1\n"
            "socket 1000000ff opened at /agents/room/a\n");
  host().send(wire::AgentSleep{agent("a"), 0});
  settle();
  EXPECT_EQ(told(), "fell asleep on host 1: it was idle\n");
  message(socket, "hello");
  message(socket, "again");
  settle();
  EXPECT_EQ(told(), "woke on host 1 for a WebSocket message, version 1\n");
  client().on_socket_closed(socket, 1001, "bye", true);
  settle();
  EXPECT_EQ(told(), "socket 1000000ff closed with 1001 by the client: bye\n");
}

TEST_F(EngineLedger, TellsWhoClosedASocket) {
  const auto by_agent = open_socket(host(), "a", id_);
  const auto broken = open_socket(host(), "a", make_connection_id(0, 1, 1));
  const auto silent = open_socket(host(), "a", make_connection_id(0, 1, 2));
  const auto slow = open_socket(host(), "a", make_connection_id(0, 1, 3));
  told();
  host().send(wire::CloseSocket{id_, 4001, "enough"});
  settle();
  client().on_socket_closed(by_agent, 4001, "enough", true);
  client().on_socket_closed(broken, 1006, "", false);
  client().on_socket_closed(silent, 1006, net::kNoPongReason, false);
  client().on_socket_closed(slow, 1013, "the client reads too slowly", true);
  EXPECT_EQ(told(),
            "socket 1000000ff closed with 4001 by the agent: enough\n"
            "socket 100000001 closed with 1006 the connection broke\n"
            "socket 100000002 closed with 1006 the connection broke: the client did not answer a "
            "ping\n"
            "socket 100000003 closed with 1013 by hearth: the client reads too slowly\n");
}

TEST_F(EngineLedger, TellsOfAResetWhatHadBegunWhatWaitedAndWhereItWent) {
  FakeHost& first = host();
  const auto socket = open_socket(first, "a", id_);
  for (const char* text : {"1", "2", "3", "4"}) message(socket, text);
  settle();
  const auto sent = first.take("SocketMessage");
  first.begin(sent[0].slot);
  first.finish(sent[0].slot);
  first.begin(sent[1].slot);
  told();
  first.die();
  message(socket, "5");
  settle();
  EXPECT_EQ(told(),
            "was reset: host 1 ended: signal 9 (SIGKILL)\n"
            "a WebSocket message had begun when host 1 ended; it is not repeated\n"
            "3 events had not begun when host 1 ended, and wait for the next\n"
            "3 events that had waited go to host 2\n"
            "woke on host 2 for a WebSocket message, version 1\n");
}

TEST_F(EngineLedger, TellsAMoveToOtherCodeFromAReset) {
  open_socket(host(), "a", id_);
  told();
  FakeHost& first = host();
  deploy();
  world.advance(10);
  first.drained();
  settle();
  EXPECT_EQ(told(), "left host 1: the code was replaced\n");
}

TEST_F(EngineLedger, TellsOfAlarmsAndErrors) {
  open_socket(host(), "a", id_);
  told();
  host().send(wire::AlarmSet{agent("a"), "a", world.wall_ms() + 1'000});
  host().send(wire::AlarmSet{agent("a"), "a", world.wall_ms() + 1'000});
  settle();
  EXPECT_EQ(told(), "set its alarm for 2027-01-15T08:00:01Z\n");
  world.advance(1'000);
  host().send(wire::AlarmDone{agent("a"), 1, world.wall_ms()});
  settle();
  EXPECT_EQ(told(),
            "got its alarm of 2027-01-15T08:00:01Z\n"
            "its alarm's handler failed (retries so far: 0)\n");
  host().send(wire::Log{
      3, R"({"class":"Room","agent":"a","code":"R407","message":"no","where":"x.ts:3:1"})"});
  host().send(wire::Log{3, R"({"class":"Other","agent":"a","message":"of another class"})"});
  host().send(wire::Log{2, R"({"class":"Room","agent":"a","message":"no error"})"});
  settle();
  EXPECT_EQ(told(), "R407 no (x.ts:3:1)\n");
}

TEST_F(EngineLedger, TellsOfAQuarantineAndItsEnd) {
  const auto socket = open_socket(host(), "a", id_);
  for (int i = 0; i < 3; ++i) {
    die_in_a_message(socket);
    world.advance(12'000);
  }
  const std::string lines = told();
  EXPECT_THAT(lines, HasSubstr("was quarantined: Room/a is quarantined: 3 hosts in a minute"));
  EXPECT_THAT(lines, HasSubstr("closed with 4503 by hearth: R414"));
  const auto states = engine->agent_states();
  ASSERT_EQ(states.size(), 1u);
  EXPECT_TRUE(states[0].quarantined);
  EXPECT_EQ(network.answers[request("/agents/room/a")].status, 503);

  EXPECT_TRUE(engine->release_agent(agent("a")));
  EXPECT_FALSE(engine->release_agent(agent("a")));
  EXPECT_THAT(told(), HasSubstr("was released from quarantine\n"));
  host().take("Fetch");
  request("/agents/room/a");
  EXPECT_EQ(host().take("Fetch").size(), 1u);
  // It starts with a clean slate: one more death does not bring it back.
  open_socket(host(), "a", make_connection_id(0, 9, 1));
  host().die();
  settle();
  EXPECT_FALSE(engine->release_agent(agent("a")));
}

}  // namespace
}  // namespace hearth::core
