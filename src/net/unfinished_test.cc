// What is held of messages that have not come whole, in all: who loses when it is too much.
#include <string>
#include <vector>

#include "net/testing/websocket_fixture.h"

namespace hearth::net {
namespace {

using testing::WebSocketServer;

class UnfinishedMessages : public WebSocketServer {
 protected:
  static constexpr std::size_t kMax = 1024UL * 1024;

  void serve(std::size_t bytes_max = kMax) {
    ServerOptions options;
    options.unfinished_bytes_max = bytes_max;
    start(options);
    echo();
  }
  // A fragment: more of its message is to come.
  static std::string begin(std::size_t size) { return frame(2, std::string(size, 'a'), false); }
  static std::string finish() { return frame(0, "z"); }
  std::uint64_t given_up() { return server_->counters().messages_given_up; }
};

TEST_F(UnfinishedMessages, AreKeptWhileThereIsRoom) {
  serve();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(*this));
    open(*clients.back());
    clients.back()->send(begin(60'000));
  }
  turn_some();
  for (auto& client : clients) {
    client->send(finish());
    EXPECT_EQ(receive(*client).payload.size(), 60'001U);
  }
  EXPECT_EQ(given_up(), 0U);
}

TEST_F(UnfinishedMessages, PastTheBoundThoseWhoHoldMostAreClosedWithAReason) {
  serve();
  std::vector<std::unique_ptr<Client>> abusers;
  Client small(*this);
  open(small);
  small.send(begin(2'000));
  for (int i = 0; i < 12; ++i) {
    abusers.push_back(std::make_unique<Client>(*this));
    open(*abusers.back());
    abusers.back()->send(begin(100'000));
  }
  ASSERT_TRUE(turn_until([this] { return given_up() > 0; }));
  turn_some();
  // An eighth is free again: no more than that is taken.
  EXPECT_GE(given_up(), 2U);
  EXPECT_LE(given_up(), 4U);
  ASSERT_EQ(seen_.closed.size(), given_up());
  EXPECT_EQ(seen_.closed[0].code, 1013);
  EXPECT_FALSE(seen_.closed[0].clean);
  EXPECT_EQ(seen_.closed[0].reason, kGivenUpReason);
  unsigned told = 0;
  unsigned whole = 0;
  for (auto& client : abusers) {
    client->send(finish());
    const Received answer = receive(*client);
    told += answer.opcode == 8 && close_text(answer) == "1013 " + std::string(kGivenUpReason);
    whole += answer.payload.size() == 100'001U;
  }
  EXPECT_EQ(told, given_up());
  EXPECT_EQ(whole, abusers.size() - given_up());
  small.send(finish());
  EXPECT_EQ(receive(small).payload.size(), 2'001U);
}

TEST_F(UnfinishedMessages, FromOnePlaceDoNotCostAClientElsewhereItsLargeOne) {
  serve(4 * kMax);
  Client innocent(*this, "127.0.0.2");
  open(innocent);
  innocent.send(begin(400'000));  // the largest and the oldest of all
  turn_some();
  std::vector<std::unique_ptr<Client>> abusers;
  for (int i = 0; i < 60; ++i) {
    abusers.push_back(std::make_unique<Client>(*this));
    open(*abusers.back());
    abusers.back()->send(begin(150'000));
  }
  ASSERT_TRUE(turn_until([this] { return given_up() > 20; }));
  innocent.send(frame(0, std::string(300'000, 'b'), false) + finish());
  EXPECT_EQ(receive(innocent).payload.size(), 700'001U);
}

TEST_F(UnfinishedMessages, AreNotCountedAnyMoreWhenTheyCameWholeOrTheirClientLeft) {
  serve();
  for (int round = 0; round < 6; ++round) {
    Client client(*this), leaves(*this);
    open(client);
    open(leaves);
    client.send(begin(200'000));
    leaves.send(begin(200'000));
    client.send(finish());
    EXPECT_EQ(receive(client).payload.size(), 200'001U);
    leaves.leave();
    const auto closed = [&] { return seen_.closed.size() >= static_cast<std::size_t>(round) + 1; };
    ASSERT_TRUE(turn_until(closed));
    client.leave();
    turn_some();
    seen_.closed.resize(static_cast<std::size_t>(round) + 1);
  }
  EXPECT_EQ(given_up(), 0U);
}

}  // namespace
}  // namespace hearth::net
