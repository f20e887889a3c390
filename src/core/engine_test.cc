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

TEST_F(CoreTest, ServesWhenItsHostsAreReadyAndKeepsOneSpare) {
  boot();
  EXPECT_EQ(servings, 1);
  ASSERT_EQ(launcher.hosts.size(), 2u);
  EXPECT_EQ(launcher.hosts[0]->types(), "Promote");
  EXPECT_EQ(launcher.hosts[1]->types(), "");
  EXPECT_EQ(launcher.hosts[1]->configured, deployment.worker_json);
}

TEST_F(CoreTest, AnswersARequestOnce) {
  boot();
  const std::uint64_t number = request("/");
  const auto fetches = host().take("Fetch");
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].text, "http://h/");
  host().send(wire::Respond{{number}, 201, 1, "Created", {}, "made"});
  host().send(wire::Respond{{number}, 200, 1, "OK", {}, "again"});
  settle();
  EXPECT_EQ(network.answers[number].status, 201);
  EXPECT_EQ(network.answers[number].body, "made");
  EXPECT_EQ(engine->requests(), 0u);
}

TEST_F(CoreTest, StreamsBodiesBothWaysWithCredit) {
  boot();
  net::Request request;
  request.id = {7};
  request.method = "POST";
  request.url = "http://h/up";
  request.has_body = true;
  request.body = "one";
  last_request = 7;
  client().on_request(request);
  client().on_body({7}, "two");
  client().on_body_end({7});
  settle();
  EXPECT_EQ(texts(host().take("BodyData")), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(host().count("BodyEnd"), 1u);
  host().send(wire::BodyCredit{{7}, 6});
  host().send(wire::Respond{{7}, 200, 2, "", {}, {}});
  host().send(wire::ResponseData{{7}, "chunk"});
  settle();
  EXPECT_EQ(network.credit, 6u);
  EXPECT_EQ(network.answers[7].body, "chunk");
  client().on_response_taken({7}, 5);
  host().send(wire::ResponseEnd{{7}});
  settle();
  EXPECT_EQ(host().take("ResponseCredit")[0].count, 5u);
  EXPECT_TRUE(network.answers[7].ended);
  EXPECT_EQ(engine->requests(), 0u);
}

TEST_F(CoreTest, GivesMessagesInOrderAndSendsBack) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  for (int i = 0; i < 100; ++i) message(socket, std::to_string(i));
  settle();
  const auto messages = host().take("SocketMessage");
  ASSERT_EQ(messages.size(), 100u);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(messages[static_cast<std::size_t>(i)].text, std::to_string(i));
  EXPECT_EQ(engine->in_flight(0), 100u);
  for (const Received& each : messages) {
    host().begin(each.slot);
    host().finish(each.slot);
  }
  host().send(wire::Send{connection(1), 0, "echo"});
  settle();
  EXPECT_EQ(engine->in_flight(0), 0u);
  EXPECT_THAT(network.sockets[socket.value].sent, ElementsAre("echo"));
}

TEST_F(CoreTest, SendsToManyAndKeepsWhatIsSentBeforeThe101) {
  boot();
  const net::SocketId first = open_socket(host(), "a", connection(1));
  host().send(wire::SocketOpen{connection(2), agent("a"), 1, {}, {}});
  std::string ids;
  for (unsigned i = 1; i <= 3; ++i) {
    const std::uint64_t id = connection(i).value;
    ids.append(reinterpret_cast<const char*>(&id), sizeof id);
  }
  host().send(wire::SendMany{ids, 0, "all"});
  const std::uint64_t number = request("/agents/room/a", true);
  host().send(wire::RespondUpgrade{{number}, connection(2), {}});
  host().send(wire::Send{connection(2), 0, "after"});
  settle();
  EXPECT_THAT(network.sockets[first.value].sent, ElementsAre("all"));
  EXPECT_THAT(network.sockets[network.upgrades[number].value].sent, ElementsAre("all", "after"));
}

TEST_F(CoreTest, HoldsASocketThatItsClientClosesUntilTheAnswersHaveLeft) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  message(socket, "question");
  EXPECT_TRUE(client().on_socket_closing(socket, 4001, "bye", true));
  settle();
  const auto question = host().take("SocketMessage").at(0);
  const auto closed = host().take("SocketClosed").at(0);
  EXPECT_EQ(closed.number, 4001);
  host().begin(question.slot);
  host().begin(closed.slot);
  host().finish(closed.slot);
  host().send(wire::Log{0, "{}"});
  world.advance(100);
  EXPECT_FALSE(network.sockets[socket.value].close_code) << "the question is not answered yet";
  host().send(wire::Send{connection(1), 0, "answer"});
  host().finish(question.slot);
  settle();
  world.advance(100);
  EXPECT_THAT(network.sockets[socket.value].sent, ElementsAre("answer"));
  EXPECT_EQ(network.sockets[socket.value].close_code, 4001);
  client().on_socket_closed(socket, 4001, "bye", true);
  settle();
  EXPECT_EQ(host().count("SocketClosed"), 0u) << "its end is told once";
  EXPECT_EQ(engine->connections(), 0u);
}

TEST_F(CoreTest, LetsAQuietSocketCloseAtOnce) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  EXPECT_FALSE(client().on_socket_closing(socket, 1000, "", true));
  message(socket, "long ago");
  settle();
  finish_all(host());
  world.advance(2'000);
  EXPECT_FALSE(client().on_socket_closing(socket, 1000, "", true));
}

// Of the host that serves a slot, as another host was told.
std::uint32_t number_of(const FakeHost& host, unsigned slot) {
  std::uint32_t number = 0;
  for (const auto& each : host.received) {
    if (each.type == "HostServes" && each.count == slot) {
      number = static_cast<std::uint32_t>(each.number);
    }
  }
  return number;
}

TEST_F(CoreTest, TellsPeersOfADeathAndCarriesTheirCalls) {
  options.supervisor.host_count = 2;
  boot();
  FakeHost& left = host(0);
  FakeHost& right = host(1);
  const std::uint32_t right_number = number_of(left, 1);
  left.send(wire::PeerSend{right_number, "call"});
  settle();
  const auto calls = right.take("PeerData");
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].text, "call");
  EXPECT_EQ(calls[0].count, number_of(right, 0)) << "every host knows who serves which slot";
  right.die();
  settle();
  EXPECT_EQ(left.take("PeerGone")[0].count, right_number);
  left.send(wire::PeerSend{right_number, "for the dead"});
  settle();
  FakeHost& next = host(1);
  EXPECT_NE(number_of(left, 1), right_number);
  EXPECT_EQ(next.count("PeerData"), 0u) << "what was said to one host is not for another";
  left.send(wire::PeerSend{number_of(left, 1), "to the next"});
  settle();
  EXPECT_EQ(texts(next.take("PeerData")), (std::vector<std::string>{"to the next"}));
}

TEST_F(CoreTest, PutsEachAgentOnTheSlotThatOwnsIt) {
  options.supervisor.host_count = 3;
  boot();
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    request(std::string("/agents/room/") + name);
    const unsigned slot = wire::owning_slot(agent(name).bytes, 3);
    const auto fetches = host(slot).take("Fetch");
    ASSERT_EQ(fetches.size(), 1u) << name;
  }
}

// ---- sleep

TEST_F(CoreTest, RefusesSleepWhenAnEventIsOnItsWay) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  message(socket, "late");
  host().send(wire::AgentSleep{agent("a"), 0});
  settle();
  EXPECT_EQ(host().count("SleepAccepted"), 0u);
  host().send(wire::AgentSleep{agent("a"), 1});
  settle();
  EXPECT_EQ(host().count("SleepAccepted"), 1u);
  host().received.clear();
  message(socket, "wake up");
  settle();
  EXPECT_EQ(launcher.hosts[0]->types(), "AgentWake AgentSocket SocketMessage");
}

TEST_F(CoreTest, AnswersAutomaticallyWithoutWakingAnyone) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  host().send(wire::AutoResponse{agent("a"), 1, "ping", "pong"});
  host().send(wire::AgentSleep{agent("a"), 0});
  settle();
  message(socket, "ping");
  settle();
  EXPECT_THAT(network.sockets[socket.value].sent, ElementsAre("pong"));
  EXPECT_EQ(host().count("SocketMessage"), 0u);
  message(socket, "real");
  settle();
  EXPECT_EQ(host().count("SocketMessage"), 1u);
  message(socket, "ping");
  settle();
  EXPECT_EQ(host().count("AutoResponded"), 1u);
}

// ---- bounds

TEST_F(CoreTest, PausesClientsOfACrowdedHostAndRefusesRequests) {
  options.queue_bytes_max = 100'000;
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  const std::string large(30'000, 'x');
  for (int i = 0; i < 4; ++i) message(socket, large);
  EXPECT_TRUE(network.sockets[socket.value].paused);
  const std::uint64_t number = request("/");
  EXPECT_EQ(network.answers[number].status, 503);
  EXPECT_THAT(network.answers[number].headers, HasSubstr("retry-after"));
  EXPECT_EQ(host().count("SocketMessage"), 4u);
  finish_all(host());
  EXPECT_FALSE(network.sockets[socket.value].paused);
  EXPECT_EQ(engine->in_flight(0), 0u);
}

TEST_F(CoreTest, KeepsWhatTheProgressPageHasNoPlaceFor) {
  options.queue_events_max = 50;
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  for (std::uint32_t i = 0; i < kProgressSlots + 50; ++i) message(socket, std::to_string(i));
  settle();
  EXPECT_EQ(engine->pending(0), 50u);
  EXPECT_TRUE(network.sockets[socket.value].paused);
  EXPECT_EQ(host().count("SocketMessage"), kProgressSlots);
  finish_all(host());
  const auto rest = host().take("SocketMessage");
  ASSERT_EQ(rest.size(), 50u);
  EXPECT_EQ(rest.front().text, std::to_string(kProgressSlots));
  EXPECT_EQ(rest.back().text, std::to_string(kProgressSlots + 49));
  EXPECT_FALSE(network.sockets[socket.value].paused);
}

}  // namespace
}  // namespace hearth::core
