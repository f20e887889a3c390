#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::connection;
using testing::CoreTest;
using ::testing::ElementsAre;
using testing::FakeHost;
using ::testing::HasSubstr;
using testing::Received;
using testing::texts;

TEST_F(CoreTest, HandsEventsThatHadNotBegunToTheSpareInOrder) {
  boot();
  FakeHost& first = host();
  const net::SocketId socket = open_socket(first, "a", connection(1));
  for (const char* text : {"1", "2", "3", "4"}) message(socket, text);
  settle();
  const auto sent = first.take("SocketMessage");
  first.begin(sent[0].slot);
  first.finish(sent[0].slot);
  first.begin(sent[1].slot);
  first.die();
  message(socket, "5");
  settle();
  FakeHost& second = host();
  ASSERT_NE(&second, &first);
  EXPECT_EQ(texts(second.take("SocketMessage")), (std::vector<std::string>{"3", "4", "5"}));
  // Told of the agent and its socket first, and only once.
  EXPECT_EQ(second.count("AgentWake"), 1u);
  EXPECT_EQ(second.take("AgentSocket")[0].text, "attached");
  EXPECT_FALSE(network.sockets[socket.value].close_code);
  EXPECT_TRUE(report.has("the handler of WebSocket message 2 of Room/a had begun"));
  EXPECT_TRUE(report.has("it is not repeated"));
  // The next spare is on its way.
  EXPECT_EQ(launcher.hosts.size(), 3u);
}

TEST_F(CoreTest, LetsInterruptedAgentsGoOnAtOnce) {
  boot();
  FakeHost& first = host();
  const net::SocketId begun = open_socket(first, "begun", connection(1));
  open_socket(first, "idle", connection(2));
  open_socket(first, "works", connection(3));
  message(begun, "x");
  settle();
  first.begin(first.take("SocketMessage")[0].slot);
  first.send(wire::AgentWorking{agent("works"), 1});
  settle();
  first.die();
  settle();
  std::vector<AgentId> resumed;
  for (const Received& each : host().take("AgentResume")) resumed.push_back(each.agent);
  EXPECT_THAT(resumed, ::testing::UnorderedElementsAre(agent("begun"), agent("works")));
  EXPECT_EQ(host().count("AgentWake"), 2u);
  EXPECT_EQ(host().count("AgentSocket"), 2u);
  // And it may be put to sleep again.
  host().send(wire::AgentSleep{agent("begun"), 0});
  settle();
  EXPECT_EQ(host().count("SleepAccepted"), 1u);
}

TEST_F(CoreTest, GoesOnWithAnAgentThatARequestNamed) {
  boot();
  request("/agents/room/asked");
  FakeHost& first = host();
  first.begin(first.take("Fetch")[0].slot);
  first.send(wire::AgentOpened{agent("asked"), "asked"});
  settle();
  first.die();
  settle();
  const auto resumed = host().take("AgentResume");
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].agent, agent("asked"));
}

TEST_F(CoreTest, ResumesAnAgentAgainWhenTheNextHostDiesTooButNotForEver) {
  options.quarantine_deaths = 0;
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  message(socket, "x");
  settle();
  host().begin(host().take("SocketMessage")[0].slot);
  for (int i = 0; i < 3; ++i) {
    host().die();
    settle();
    world.advance(20'000);
    ASSERT_EQ(host().count("AgentResume"), 1u) << i;
  }
  host().die();
  settle();
  world.advance(20'000);
  EXPECT_EQ(host().count("AgentResume"), 0u);
}

TEST_F(CoreTest, ResumesABoundedNumberOfAHostsAgents) {
  constexpr std::uint32_t kWorking = 1'100;
  boot();
  for (std::uint32_t i = 0; i < kWorking; ++i) {
    const std::string name = "working-" + std::to_string(i);
    open_socket(host(), name, connection(i + 1));
    host().send(wire::AgentWorking{agent(name), 1});
  }
  settle();
  host().die();
  settle();
  EXPECT_EQ(host().count("AgentResume"), 1'024u);
  for (const auto& [id, socket] : network.sockets) EXPECT_FALSE(socket.close_code) << id;
}

TEST_F(CoreTest, FiresNoAlarmBeforeItIsDueForAnAgentThatGoesOn) {
  boot();
  FakeHost& first = host();
  const net::SocketId socket = open_socket(first, "a", connection(1));
  const std::int64_t due_ms = world.wall_ms() + 60'000;
  first.send(wire::AlarmSet{agent("a"), "a", due_ms});
  message(socket, "x");
  settle();
  first.begin(first.take("SocketMessage").at(0).slot);
  first.die();
  settle();
  ASSERT_EQ(host().count("AgentResume"), 1u);
  world.advance(59'000);
  EXPECT_EQ(host().count("Alarm"), 0u);
  world.advance(1'000);
  EXPECT_EQ(host().count("Alarm"), 1u);
}

TEST_F(CoreTest, QuarantinesAnAgentThatEndsItsHostsAndLeavesItsNeighboursAlone) {
  boot();
  const net::SocketId bad = open_socket(host(), "bad", connection(1));
  const net::SocketId good = open_socket(host(), "good", connection(2));
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(network.sockets[bad.value].close_code) << i;
    die_in_a_message(bad);
    world.advance(12'000);
  }
  EXPECT_EQ(network.sockets[bad.value].close_code, 4503);
  EXPECT_THAT(network.sockets[bad.value].close_reason, HasSubstr("R414: Room/bad is quarantined"));
  EXPECT_FALSE(network.sockets[good.value].close_code);
  EXPECT_TRUE(report.has("R414 Room/bad is quarantined"));
  EXPECT_EQ(host().count("AgentResume"), 0u);

  const std::uint64_t refused = request("/agents/room/bad");
  EXPECT_EQ(network.answers[refused].status, 503);
  EXPECT_THAT(network.answers[refused].body, HasSubstr("Room/bad is quarantined"));
  host().send(wire::AgentOpened{agent("bad"), "bad"});
  settle();
  const auto told = host().take("AgentRefused");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0].text, HasSubstr("R414 Room/bad is quarantined"));

  message(good, "hello");
  settle();
  EXPECT_EQ(host().take("SocketMessage").back().text, "hello");
}

TEST_F(CoreTest, QuarantinesNobodyForDeathsThatAreFarApart) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  for (int i = 0; i < 5; ++i) {
    die_in_a_message(socket);
    world.advance(31'000);
  }
  EXPECT_FALSE(network.sockets[socket.value].close_code);
}

TEST_F(CoreTest, ReadsWhatADeadHostHadSentBeforeItsEnd) {
  boot();
  const std::uint64_t number = request("/");
  FakeHost& dying = host();
  dying.begin(dying.take("Fetch")[0].slot);
  dying.send(wire::Respond{{number}, 200, 1, "", {}, "in time"});
  dying.die();
  settle();
  EXPECT_EQ(network.answers[number].body, "in time");
}

// An idle event of "waits" began last; what dies each time is code of "dies".
TEST_F(CoreTest, QuarantinesTheAgentWhoseCodeRanAndNotTheOneThatWaits) {
  boot();
  const net::SocketId dies = open_socket(host(), "dies", connection(1));
  const net::SocketId waits = open_socket(host(), "waits", connection(2));
  for (int death = 0; death < 3; ++death) {
    FakeHost& dying = host();
    message(dies, "later");
    message(waits, "awaits");
    settle();
    const auto events = dying.take("SocketMessage");
    ASSERT_EQ(events.size(), 2u);
    dying.begin(events[0].slot);
    dying.begin(events[1].slot);
    dying.run(events[0].slot);
    dying.die();
    settle();
  }
  EXPECT_EQ(network.sockets[dies.value].close_code, 4503);
  EXPECT_FALSE(network.sockets[waits.value].close_code);
}

TEST_F(CoreTest, QuarantinesTheAgentThatTheHostMarkedAndNotTheOneThatBeganLast) {
  boot();
  const net::SocketId dies = open_socket(host(), "dies", connection(1));
  const net::SocketId busy = open_socket(host(), "busy", connection(2));
  const AgentId marked = agent("dies");
  for (int death = 0; death < 3; ++death) {
    FakeHost& dying = host();
    message(dies, "awaits, then dies");
    message(busy, "runs");
    settle();
    const auto events = dying.take("SocketMessage");
    ASSERT_EQ(events.size(), 2u);
    for (const auto& event : events) dying.begin(event.slot);
    dying.run(events[1].slot);
    dying.mark(&marked);
    dying.die();
    settle();
  }
  EXPECT_EQ(network.sockets[dies.value].close_code, 4503);
  EXPECT_FALSE(network.sockets[busy.value].close_code);
}

TEST_F(CoreTest, BlamesNoAgentWhereTheHostMarkedTheWorkersOwnCode) {
  boot();
  const net::SocketId busy = open_socket(host(), "busy", connection(1));
  for (int death = 0; death < 3; ++death) {
    FakeHost& dying = host();
    message(busy, "awaits");
    settle();
    dying.begin(dying.take("SocketMessage").at(0).slot);
    dying.mark(nullptr);
    dying.die();
    settle();
  }
  EXPECT_FALSE(network.sockets[busy.value].close_code);
}

TEST_F(CoreTest, TakesNoMarkOfANamespaceThatThereIsNotForKnown) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  const AgentId nobody{999, agent("a").bytes};
  for (int death = 0; death < 3; ++death) {
    FakeHost& dying = host();
    message(socket, "awaits");
    settle();
    dying.begin(dying.take("SocketMessage").at(0).slot);
    dying.mark(&nobody);
    dying.die();
    settle();
  }
  EXPECT_EQ(network.sockets[socket.value].close_code, 4503)
      << "what had begun last is what is known";
}

TEST_F(CoreTest, BlamesNoAgentForWhatTheWorkersOwnCodeDoes) {
  boot();
  const net::SocketId waits = open_socket(host(), "waits", connection(1));
  for (int death = 0; death < 3; ++death) {
    FakeHost& dying = host();
    message(waits, "awaits");
    request("/worker");
    const auto messages = dying.take("SocketMessage");
    const auto fetches = dying.take("Fetch");
    ASSERT_EQ(messages.size(), 1u);
    ASSERT_EQ(fetches.size(), 1u);
    dying.begin(fetches[0].slot);
    dying.begin(messages[0].slot);
    dying.run(fetches[0].slot);
    dying.die();
    settle();
  }
  EXPECT_FALSE(network.sockets[waits.value].close_code);
}

TEST_F(CoreTest, AnswersRequestsThatHadBegunWith503AndRepeatsTheOthers) {
  boot();
  const std::uint64_t begun = request("/begun");
  const std::uint64_t waiting = request("/waiting");
  const std::uint64_t streaming = request("/streaming");
  FakeHost& first = host();
  const auto fetches = first.take("Fetch");
  first.begin(fetches[0].slot);
  first.begin(fetches[2].slot);
  first.send(wire::Respond{{streaming}, 200, 2, "", {}, {}});
  settle();
  first.die();
  settle();
  EXPECT_EQ(network.answers[begun].status, 503);
  EXPECT_THAT(network.answers[begun].body, HasSubstr("R413"));
  EXPECT_THAT(network.answers[begun].body, HasSubstr("ended before it answered"));
  EXPECT_TRUE(network.answers[streaming].aborted);
  EXPECT_FALSE(network.answers.contains(waiting));
  const auto again = host().take("Fetch");
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].subject, waiting);
  host().send(wire::Respond{{waiting}, 200, 1, "", {}, "done"});
  settle();
  EXPECT_EQ(network.answers[waiting].body, "done");
}

TEST_F(CoreTest, RepeatsAStreamedBodyWithItsRequest) {
  boot();
  net::Request request;
  request.id = {9};
  request.method = "POST";
  request.url = "http://h/up";
  request.has_body = true;
  client().on_request(request);
  client().on_body({9}, "part one, ");
  settle();
  host().die();
  client().on_body({9}, "part two");
  settle();
  client().on_body_end({9});
  settle();
  std::string body;
  for (const Received& each : host().take("BodyData")) body += each.text;
  EXPECT_EQ(body, "part one, part two");
  EXPECT_EQ(host().count("BodyEnd"), 1u);
}

TEST_F(CoreTest, ClosesSocketsThatCannotOutliveTheirHostWith1012) {
  boot();
  const net::SocketId plain = open_socket(host(), "a", connection(1), 0);
  const net::SocketId kept = open_socket(host(), "a", connection(2));
  const net::SocketId of_worker = open_socket(host(), "b", connection(3), wire::kSocketOfWorker);
  host().die();
  settle();
  EXPECT_EQ(network.sockets[plain.value].close_code, 1012);
  EXPECT_EQ(network.sockets[of_worker.value].close_code, 1012);
  EXPECT_FALSE(network.sockets[kept.value].close_code);
  client().on_socket_closed(plain, 1012, "", true);
  client().on_socket_closed(of_worker, 1012, "", true);
  settle();
  EXPECT_EQ(host().count("SocketClosed"), 0u);
  EXPECT_EQ(engine->connections(), 1u);
}

TEST_F(CoreTest, TellsAWokenAgentOfTheSocketThatClosed) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  host().send(wire::AgentSleep{agent("a"), 0});
  settle();
  ASSERT_EQ(host().count("SleepAccepted"), 1u);
  client().on_socket_closed(socket, 1000, "bye", true);
  settle();
  EXPECT_EQ(host().take("AgentWake").back().count, 1u);
  const auto closed = host().take("SocketClosed");
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].number, 1000);
  host().begin(closed[0].slot);
  host().finish(closed[0].slot);
  host().send(wire::AgentSleep{agent("a"), 1});
  settle();
  EXPECT_EQ(engine->connections(), 0u);
  EXPECT_EQ(engine->agents(), 0u);
}

}  // namespace
}  // namespace hearth::core
