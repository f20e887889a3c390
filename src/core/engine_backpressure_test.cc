// Bounds of one agent, of a host and of all: who is held back, who is not, and who goes on when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::connection;
using testing::CoreTest;
using testing::FakeHost;
using ::testing::HasSubstr;

class Backpressure : public CoreTest {
 protected:
  // Of an agent that is the only slow one: it has a quarter of what it leaves.
  static constexpr int kShare = kProgressSlots / 5 + 1;

  bool paused(net::SocketId socket) { return network.sockets[socket.value].paused; }
  // Messages until the socket is not read any more: as a client that sends on does.
  int flood(net::SocketId socket, const std::string& text = "x") {
    int sent = 0;
    for (; !paused(socket) && sent < 100'000; ++sent) message(socket, text);
    return sent;
  }
  // The handlers of the first `count` messages end, without a word from the host.
  void finish_silently(FakeHost& on, std::size_t count) {
    auto messages = on.take("SocketMessage");
    for (std::size_t i = 0; i < std::min(count, messages.size()); ++i) on.finish(messages[i].slot);
    for (std::size_t i = count; i < messages.size(); ++i) on.received.push_back(messages[i]);
  }
};

TEST_F(Backpressure, HoldsBackTheClientsOfOneSlowAgentAndNotItsNeighbours) {
  boot();
  const net::SocketId first = open_socket(host(), "slow", connection(1));
  const net::SocketId second = open_socket(host(), "slow", connection(2));
  const net::SocketId neighbour = open_socket(host(), "quick", connection(3));
  EXPECT_EQ(flood(first), kShare);
  EXPECT_TRUE(paused(second)) << "it could add to what waits";
  EXPECT_FALSE(paused(neighbour));
  message(neighbour, "hello");
  settle();
  EXPECT_EQ(host().received.back().text, "hello");
  EXPECT_TRUE(report.has("R415")) << "the log does not say why";

  const std::uint64_t refused = request("/agents/room/slow", true);
  EXPECT_EQ(network.answers[refused].status, 503);
  EXPECT_THAT(network.answers[refused].headers, HasSubstr("retry-after"));
  EXPECT_THAT(network.answers[refused].body, HasSubstr("R415"));
  const std::uint64_t served = request("/agents/room/quick");
  EXPECT_FALSE(network.answers.contains(served));
  EXPECT_EQ(host().count("Fetch"), 1u);
}

TEST_F(Backpressure, ReadsOnWhenHandlersHaveEndedThoughTheHostSaysNothing) {
  boot();
  const net::SocketId first = open_socket(host(), "slow", connection(1));
  const net::SocketId second = open_socket(host(), "slow", connection(2));
  flood(first);
  settle();
  finish_silently(host(), kShare / 4);
  world.advance(100);
  EXPECT_TRUE(paused(first)) << "less than half is free";
  finish_silently(host(), kShare / 2);
  world.advance(100);
  EXPECT_FALSE(paused(first));
  EXPECT_FALSE(paused(second));
  EXPECT_FALSE(network.answers.contains(request("/agents/room/slow")));
}

TEST_F(Backpressure, BoundsBytesOfAnAgentAsWellAsItsMessages) {
  boot();
  const net::SocketId socket = open_socket(host(), "slow", connection(1));
  const std::string large(1024 * 1024, 'x');
  const int sent = flood(socket, large);
  EXPECT_GE(sent, 4);
  EXPECT_LE(sent, static_cast<int>(kAgentQueueBytesMax / large.size()));
}

TEST_F(Backpressure, LeavesRoomForNeighboursHoweverManyAgentsAreSlow) {
  boot();
  std::vector<net::SocketId> slow;
  for (unsigned i = 0; i < 20; ++i) {
    slow.push_back(open_socket(host(), "slow" + std::to_string(i), connection(i + 1)));
  }
  const net::SocketId neighbour = open_socket(host(), "quick", connection(100));
  int total = 0;
  for (const net::SocketId socket : slow) total += flood(socket);
  EXPECT_LT(total, static_cast<int>(kProgressSlots));
  message(neighbour, "hello");
  settle();
  EXPECT_EQ(engine->pending(0), 0u);
  EXPECT_EQ(host().received.back().text, "hello");
  EXPECT_FALSE(paused(neighbour));
}

TEST_F(Backpressure, ResumesInTurnAFewAtATime) {
  boot();
  std::vector<net::SocketId> sockets;
  for (unsigned i = 0; i < 300; ++i) {
    sockets.push_back(open_socket(host(), "slow", connection(i + 1)));
  }
  flood(sockets[0]);
  settle();
  const auto count_paused = [&] {
    return std::count_if(sockets.begin(), sockets.end(), [&](auto each) { return paused(each); });
  };
  EXPECT_EQ(count_paused(), 300);
  finish_silently(host(), kShare);
  world.advance(10);
  EXPECT_EQ(count_paused(), 300 - 64);
  world.advance(100);
  EXPECT_EQ(count_paused(), 0);
}

TEST_F(Backpressure, PausesASocketThatOpensWhileItsAgentIsCrowded) {
  boot();
  const net::SocketId first = open_socket(host(), "slow", connection(1));
  const std::uint64_t number = request("/agents/room/slow", true);
  flood(first);
  host().send(wire::SocketOpen{connection(2), agent("slow"), wire::kSocketHibernatable, {}, {}});
  host().send(wire::RespondUpgrade{{number}, connection(2), {}});
  settle();
  EXPECT_TRUE(paused(network.upgrades[number]));
}

TEST_F(Backpressure, RefusesAnUpgradeByAUrlOfTheWorkersOwnWhenItIsKnownWhoseItIs) {
  boot();
  const net::SocketId first = open_socket(host(), "slow", connection(1));
  flood(first);
  const std::uint64_t number = request("/rooms/slow", true);
  EXPECT_FALSE(network.answers.contains(number)) << "it may be anybody's";
  settle();
  host().send(wire::SocketOpen{connection(2), agent("slow"), wire::kSocketHibernatable, {}, {}});
  host().send(wire::RespondUpgrade{{number}, connection(2), {}});
  settle();
  EXPECT_EQ(network.answers[number].status, 503);
  EXPECT_THAT(network.answers[number].headers, HasSubstr("retry-after"));
  EXPECT_THAT(network.answers[number].body, HasSubstr("R415"));
  EXPECT_EQ(engine->connections(), 2u) << "the agent is told that this one ended";
  EXPECT_EQ(host().take("SocketClosed").at(0).subject, connection(2).value);
}

TEST_F(Backpressure, BoundsTheBodiesThatNoHostHasTaken) {
  options.queues_bytes_max = 100'000;
  boot();
  const std::string part(40'000, 'x');
  std::vector<std::uint64_t> uploads;
  for (int i = 0; i < 3; ++i) {
    uploads.push_back(++last_request);
    net::Request upload;
    upload.id = {uploads.back()};
    upload.method = "POST";
    upload.url = "http://h/upload";
    upload.target = "/upload";
    upload.has_body = true;
    client().on_request(upload);
  }
  for (const std::uint64_t id : uploads) client().on_body({id}, part);
  settle();
  EXPECT_FALSE(network.answers.contains(uploads[0]));
  EXPECT_FALSE(network.answers.contains(uploads[1]));
  EXPECT_EQ(network.answers[uploads[2]].status, 503);
  EXPECT_EQ(host().take("RequestGone").at(0).subject, uploads[2]);
  // The first is taken, so there is room for another.
  host().send(wire::BodyCredit{{uploads[0]}, 40'000});
  settle();
  client().on_body({uploads[0]}, part);
  client().on_body({uploads[1]}, part);
  EXPECT_FALSE(network.answers.contains(uploads[0]));
  EXPECT_FALSE(network.answers.contains(uploads[1]));
}

TEST_F(Backpressure, BoundsWhatWaitsForAllHosts) {
  options.supervisor.host_count = 2;
  options.queues_bytes_max = 100'000;
  boot();
  std::vector<net::SocketId> sockets;
  for (unsigned slot = 0; slot < 2; ++slot) {
    for (unsigned i = 0;; ++i) {
      const std::string name = std::to_string(slot) + "-" + std::to_string(i);
      if (wire::owning_slot(agent(name).bytes, 2) != slot) continue;
      const auto id = make_connection_id(static_cast<std::uint8_t>(slot), 1, 1);
      sockets.push_back(open_socket(host(slot), name, id));
      break;
    }
  }
  const std::string large(60'000, 'x');
  message(sockets[0], large);
  EXPECT_FALSE(paused(sockets[0]));
  message(sockets[1], large);
  EXPECT_TRUE(paused(sockets[1])) << "both hosts together have more than may wait";
  EXPECT_EQ(network.answers[request("/")].status, 503);
  finish_silently(host(0), 1);
  finish_silently(host(1), 1);
  world.advance(100);
  EXPECT_FALSE(paused(sockets[1]));
}

}  // namespace
}  // namespace hearth::core
