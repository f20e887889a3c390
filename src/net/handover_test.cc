// Two servers in one loop: what the first gives up, the second goes on with, on the same sockets.
#include "net/handover.h"

#include <fcntl.h>

#include "net/deflate.h"
#include "net/testing/websocket_fixture.h"

namespace hearth::net {
namespace {

class HandoverTest : public testing::WebSocketServer {
 protected:
  void TearDown() override {
    successor_.reset();
    testing::WebSocketServer::TearDown();
  }

  // Everything that `server_` can hand over goes to a second server, which then has the name.
  void move() {
    server_->handover()->hold(true);
    turn_some(5);
    ServerOptions options;
    options.port = 0;
    successor_ = make_server(loop_, options, later_);
    Handover& to = *successor_->handover();
    to.hold(true);
    ASSERT_TRUE(to.adopt_listener(copy(server_->handover()->listener())).ok());
    server_->handover()->show([&](SocketId socket, int descriptor, const ConnectionState& state) {
      ++shown_;
      state_ = state;
      const SocketId now = to.adopt(copy(descriptor), state);
      EXPECT_EQ(!now, !socket);
      if (now) socket_ = now;
      return true;
    });
    server_->handover()->let_go();
    later_.message_hook = [this](const testing::Recorder::Message& message) {
      successor_->send(message.socket, message.kind, message.data);
    };
    later_.request_hook = [this](const Request& request) {
      successor_->respond(request.id, 200, {}, {}, "later " + std::string(request.target));
    };
    to.hold(false);
  }
  static int copy(int descriptor) { return ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

  testing::Recorder later_;
  std::unique_ptr<Server> successor_;
  ConnectionState state_;
  int shown_ = 0;
};

TEST_F(HandoverTest, AnIdleSocketGoesOn) {
  start();
  echo();
  Client client(*this);
  open(client);
  client.send(frame(1, "before"));
  EXPECT_EQ(receive(client).payload, "before");
  move();
  EXPECT_EQ(shown_, 1);
  client.send(frame(1, "after"));
  EXPECT_EQ(receive(client).payload, "after");
  EXPECT_EQ(seen_.messages.size(), 1u);
  EXPECT_EQ(later_.messages.size(), 1u);
  EXPECT_TRUE(seen_.closed.empty()) << "the first server told nobody";
  EXPECT_EQ(server_->counters().connections_open, 0u);
  EXPECT_EQ(server_->counters().websockets_open, 0u);
  EXPECT_EQ(successor_->counters().websockets_open, 1u);
  client.send(close_frame(1000));
  EXPECT_EQ(close_text(receive(client)), "1000 ");
}

// At every byte of two fragments with a ping between them.
TEST_F(HandoverTest, AMessageGoesOnWhereverItIsCut) {
  const std::string bytes = frame(1, "gr\xc3\xbc\xc3\x9f ", false) + frame(9, "are you there") +
                            frame(0, std::string(130, 'x') + "\xe2\x82\xac");
  start();
  echo();
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Client client(*this);
    open(client);
    client.send(bytes.substr(0, cut));
    turn_some(3);
    move();
    ASSERT_EQ(shown_, 1) << cut;
    client.send(bytes.substr(cut));
    const Received pong = receive(client);
    EXPECT_EQ(pong.opcode, 10) << cut;
    EXPECT_EQ(pong.payload, "are you there") << cut;
    const Received message = receive(client);
    EXPECT_EQ(message.payload, "gr\xc3\xbc\xc3\x9f " + std::string(130, 'x') + "\xe2\x82\xac");
    ASSERT_FALSE(HasFailure()) << "cut at " << cut;
    // The next round begins with the second server.
    server_ = std::move(successor_);
    seen_ = {};
    std::swap(seen_, later_);
    server_ = nullptr;
    start();
    echo();
    shown_ = 0;
  }
}

TEST_F(HandoverTest, ACompressedMessageGoesOn) {
  start();
  echo();
  Client client(*this);
  const std::string head = open(client, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  ASSERT_NE(head.find("permessage-deflate"), std::string::npos);
  Deflater deflater;
  const std::string text(5'000, 'z');
  const std::string small(*deflater.compress(text, 15));
  const std::string bytes = frame(1, small, true, 4);
  client.send(bytes.substr(0, bytes.size() / 2));
  turn_some(3);
  move();
  client.send(bytes.substr(bytes.size() / 2));
  const Received echoed = receive(client);
  EXPECT_TRUE(echoed.compressed);
  EXPECT_EQ(later_.messages.at(0).data, text);
}

TEST_F(HandoverTest, WhatWasNotWrittenYetArrivesOnceAndWhole) {
  start();
  echo();
  Client client(*this);
  open(client);
  std::vector<std::string> sent;
  for (int i = 0; i < 300; ++i) {
    sent.push_back(std::to_string(i) + std::string(40'000, static_cast<char>('a' + i % 26)));
    server_->send(socket_, MessageKind::kAsciiText, sent.back());
  }
  turn_some(3);
  move();
  std::size_t left = 0;
  for (const std::string& chunk : state_.output) left += chunk.size();
  EXPECT_GT(left, 1'000'000u) << "much waits for a client that does not read";
  successor_->send(socket_, MessageKind::kAsciiText, "the last");
  for (const std::string& each : sent) {
    const Received got = receive(client);
    ASSERT_EQ(got.payload.size(), each.size());
    ASSERT_EQ(got.payload, each);
  }
  EXPECT_EQ(receive(client).payload, "the last");
}

TEST_F(HandoverTest, HttpConnectionsGoOnBetweenRequestsAndInTheMiddleOfAHead) {
  start();
  seen_.request_hook = [this](const Request& request) {
    server_->respond(request.id, 200, {}, {}, "first");
  };
  Client idle(*this);
  Client cut(*this);
  idle.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(idle.read_response().find("first"), std::string::npos);
  cut.send("GET /cut HTTP/1.1\r\nHos");
  turn_some(3);
  move();
  EXPECT_EQ(shown_, 2);
  idle.send("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  cut.send("t: h\r\n\r\n");
  EXPECT_NE(idle.read_response().find("later /2"), std::string::npos);
  EXPECT_NE(cut.read_response().find("later /cut"), std::string::npos);
  EXPECT_EQ(later_.requests.at(0).client_address, "127.0.0.1");
}

TEST_F(HandoverTest, ARequestIsAnsweredWhereItBeganAndTheNextWaits) {
  start();
  Client client(*this);
  client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(turn_until([&] { return seen_.requests.size() == 2; }));
  Client other(*this);
  other.send("GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(turn_until([&] { return seen_.requests.size() == 3; }));
  server_->handover()->hold(true);
  other.send("GET /two HTTP/1.1\r\nHost: h\r\n\r\n");
  turn_some(5);
  int shown = 0;
  server_->handover()->show([&](SocketId, int, const ConnectionState&) { return ++shown > 0; });
  EXPECT_EQ(shown, 0) << "both are being answered";
  for (const auto& each : std::vector(seen_.requests)) {
    server_->respond(each.id, 200, {}, {}, "here");
  }
  EXPECT_NE(client.read_response().find("here"), std::string::npos);
  EXPECT_NE(client.read_response().find("here"), std::string::npos);
  EXPECT_NE(other.read_response().find("here"), std::string::npos);
  turn_some(5);
  EXPECT_EQ(seen_.requests.size(), 3u) << "a request that came meanwhile has not begun";
  move();
  EXPECT_EQ(shown_, 2);
  EXPECT_NE(other.read_response().find("later /two"), std::string::npos);
}

TEST_F(HandoverTest, ThatIsCalledOffChangesNothing) {
  start();
  echo();
  Client client(*this);
  open(client);
  server_->handover()->hold(true);
  client.send(frame(1, "held"));
  Client late(*this);
  late.send(handshake());
  turn_some(10);
  EXPECT_TRUE(seen_.messages.empty());
  EXPECT_EQ(server_->counters().connections_open, 1u);
  server_->handover()->show([](SocketId, int, const ConnectionState&) { return true; });
  server_->handover()->hold(false);
  EXPECT_EQ(receive(client).payload, "held");
  EXPECT_NE(late.read_until("\r\n\r\n").find("101"), std::string::npos);
}

TEST_F(HandoverTest, ASocketThatIsClosingFinishesItsHandshakeThere) {
  start();
  echo();
  Client client(*this);
  open(client);
  server_->close(socket_, 1000, "done");
  turn_some(3);
  EXPECT_EQ(close_text(receive(client)), "1000 done");
  move();
  EXPECT_EQ(shown_, 1);
  client.send(close_frame(1000));
  EXPECT_EQ(client.read_to_end(), "");
  ASSERT_TRUE(turn_until([&] { return later_.closed.size() == 1; }));
  EXPECT_EQ(later_.closed.at(0).code, 1000);
  EXPECT_TRUE(later_.closed.at(0).clean);
  EXPECT_TRUE(seen_.closed.empty());
}

}  // namespace
}  // namespace hearth::net
