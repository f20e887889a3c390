// How WebSockets end: by either side, by a fault, by a client that vanishes or does not read.
#include <string>
#include <tuple>
#include <vector>

#include "net/testing/websocket_fixture.h"

namespace hearth::net {
namespace {

using testing::WebSocketServer;

TEST_F(WebSocketServer, AProtocolFaultGetsItsCodeAndAReason) {
  const std::vector<std::tuple<std::string, std::string, int>> cases = {
      {"\x81\x01"
       "a",
       "1002 R411: a client's frame is not masked", 1002},
      {frame(3, "a"), "1002 R411: a frame has a reserved opcode", 1002},
      {frame(1, "\xff"), "1007 R411: a text message is not UTF-8", 1007},
      {frame(2, std::string(101, 'a')),
       "1009 R411: the message is larger than this server takes: 100 bytes", 1009},
      {close_frame(1005), "1002 R411: a close frame has a reserved code", 1002}};
  ServerOptions options;
  options.websocket_message_bytes_max = 100;
  start(options);
  echo();
  for (const auto& [bytes, text, code] : cases) {
    seen_.closed.clear();
    Client client(*this);
    open(client);
    client.send(bytes + frame(1, "never read"));
    EXPECT_EQ(close_text(receive(client)), text);
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_FALSE(client.was_reset());
    ASSERT_EQ(seen_.closed.size(), 1U) << text;
    EXPECT_EQ(seen_.closed[0].code, code);
    EXPECT_FALSE(seen_.closed[0].clean);
  }
  EXPECT_TRUE(seen_.messages.empty());
}

TEST_F(WebSocketServer, AClientsCloseIsAnsweredAndReported) {
  start();
  echo();
  Client coded(*this), plain(*this);
  open(coded);
  coded.send(frame(1, "last") + close_frame(4001, "done") + frame(1, "after"));
  EXPECT_EQ(receive(coded).payload, "last");
  EXPECT_EQ(close_text(receive(coded)), "4001 ");
  EXPECT_EQ(coded.read_to_end(), "");
  open(plain);
  plain.send(frame(8, ""));
  EXPECT_EQ(close_text(receive(plain)), "no code");
  EXPECT_EQ(plain.read_to_end(), "");
  ASSERT_EQ(seen_.closed.size(), 2U);
  EXPECT_EQ(seen_.closed[0].code, 4001);
  EXPECT_EQ(seen_.closed[0].reason, "done");
  EXPECT_TRUE(seen_.closed[0].clean);
  EXPECT_EQ(seen_.closed[1].code, 1005);
  EXPECT_EQ(seen_.messages.size(), 1U);
}

TEST_F(WebSocketServer, OurCloseWaitsForTheClientsAndDeliversWhatCameBefore) {
  start();
  echo();
  Client client(*this);
  open(client);
  server_->send(socket_, MessageKind::kText, "first");
  server_->close(socket_, 1012, "restart");
  EXPECT_EQ(server_->send(socket_, MessageKind::kText, "late"), SendResult::kUnknown);
  EXPECT_EQ(receive(client).payload, "first");
  EXPECT_EQ(close_text(receive(client)), "1012 restart");
  EXPECT_TRUE(seen_.closed.empty());
  client.send(frame(1, "crossed") + close_frame(1012));
  EXPECT_EQ(client.read_to_end(), "");
  ASSERT_EQ(seen_.closed.size(), 1U);
  EXPECT_EQ(seen_.closed[0].code, 1012);
  EXPECT_TRUE(seen_.closed[0].clean);
  ASSERT_EQ(seen_.messages.size(), 1U);
  EXPECT_EQ(seen_.messages[0].data, "crossed");
  EXPECT_EQ(server_->send(socket_, MessageKind::kText, "gone"), SendResult::kUnknown);
}

TEST_F(WebSocketServer, AClientThatDoesNotAnswerOurCloseIsCutInTime) {
  ServerOptions options;
  options.close_timeout_ms = 300;
  start(options);
  echo();
  Client client(*this);
  open(client);
  server_->close(socket_, 1000, "");
  EXPECT_EQ(close_text(receive(client)), "1000 ");
  client.read_to_end();
  ASSERT_EQ(seen_.closed.size(), 1U);
  EXPECT_EQ(seen_.closed[0].code, 1006);
  EXPECT_FALSE(seen_.closed[0].clean);
}

TEST_F(WebSocketServer, AnswersToWhatCameBeforeMayLeaveBeforeTheClose) {
  start();
  echo();
  seen_.message_hook = nullptr;
  seen_.hold_closing = true;
  Client closes(*this), breaks(*this);
  open(closes);
  const SocketId first = socket_;
  closes.send(frame(1, "question") + close_frame(4001, "mine") + frame(1, "after"));
  ASSERT_TRUE(turn_until([&] { return seen_.closing.size() == 1; }));
  turn_some();
  EXPECT_TRUE(seen_.closed.empty());
  EXPECT_EQ(server_->send(first, MessageKind::kText, "answer"), SendResult::kSent);
  server_->close(first, 4002, "ours");
  EXPECT_EQ(receive(closes).payload, "answer");
  EXPECT_EQ(close_text(receive(closes)), "4002 ours");
  EXPECT_EQ(closes.read_to_end(), "");
  ASSERT_EQ(seen_.closed.size(), 1U);
  EXPECT_EQ(seen_.closed[0].code, 4001);
  EXPECT_EQ(seen_.closed[0].reason, "mine");
  EXPECT_TRUE(seen_.closed[0].clean);

  open(breaks);
  breaks.send(frame(1, "question") + frame(3, "x"));
  ASSERT_TRUE(turn_until([&] { return seen_.closing.size() == 2; }));
  server_->send(socket_, MessageKind::kText, "answer");
  server_->close(socket_, 1000, "");
  EXPECT_EQ(receive(breaks).payload, "answer");
  EXPECT_EQ(close_text(receive(breaks)), "1002 R411: a frame has a reserved opcode");
  ASSERT_EQ(seen_.closed.size(), 2U);
  EXPECT_EQ(seen_.messages.size(), 2U);
}

TEST_F(WebSocketServer, ACloseThatNobodyAnswersIsAnsweredInTime) {
  ServerOptions options;
  options.close_timeout_ms = 300;
  start(options);
  echo();
  seen_.hold_closing = true;
  Client waits(*this), leaves(*this);
  open(waits);
  waits.send(close_frame(4001, "mine"));
  EXPECT_EQ(close_text(receive(waits)), "4001 ");
  EXPECT_EQ(waits.read_to_end(), "");
  open(leaves);
  leaves.send(close_frame(4003));
  leaves.half_close();
  EXPECT_EQ(close_text(receive(leaves)), "4003 ");
  EXPECT_EQ(leaves.read_to_end(), "");
  ASSERT_EQ(seen_.closed.size(), 2U);
  EXPECT_EQ(seen_.closed[1].code, 4003);
}

TEST_F(WebSocketServer, AVanishedClientIs1006) {
  start();
  echo();
  Client left(*this), reset(*this);
  open(left);
  open(reset);
  left.leave();
  reset.reset();
  ASSERT_TRUE(turn_until([&] { return seen_.closed.size() == 2; }));
  EXPECT_EQ(seen_.closed[0].code, 1006);
  EXPECT_EQ(seen_.closed[1].code, 1006);
  EXPECT_EQ(server_->counters().websockets_open, 0U);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(WebSocketServer, ClosingAPausedSocketStillSeesTheClientsAnswer) {
  start();
  echo();
  Client client(*this);
  open(client);
  server_->pause(socket_);
  client.send(frame(1, "unread"));
  turn_some();
  server_->close(socket_, 1013, "later");
  EXPECT_EQ(close_text(receive(client)), "1013 later");
  client.send(close_frame(1013));
  EXPECT_EQ(client.read_to_end(), "");
  ASSERT_EQ(seen_.closed.size(), 1U);
  EXPECT_TRUE(seen_.closed[0].clean);
  EXPECT_TRUE(seen_.messages.empty());
}

TEST_F(WebSocketServer, AClientThatDoesNotReadCostsItsBudgetAndIsToldSo) {
  start();
  echo();
  Client client(*this);
  open(client);
  const std::string large(8 * 1024 * 1024, 'x');
  SendResult result = SendResult::kSent;
  int sent = 0;
  while (result == SendResult::kSent || result == SendResult::kBuffered) {
    result = server_->send(socket_, MessageKind::kBinary, large);
    ASSERT_LT(++sent, 40);
    turn_some(1);
    EXPECT_LE(server_->counters().bytes_buffered, kSocketSendBufferBytesMax);
  }
  EXPECT_EQ(result, SendResult::kOverflow);
  ASSERT_TRUE(turn_until([&] { return seen_.closed.size() == 1; }));
  EXPECT_EQ(seen_.closed[0].code, 1013);
  // The frame in progress comes whole, and the reason behind it.
  Received got = receive(client);
  while (got.opcode == 2) {
    EXPECT_EQ(got.payload.size(), large.size());
    got = receive(client);
  }
  EXPECT_TRUE(close_text(got).starts_with("1013 ")) << close_text(got);
}

TEST_F(WebSocketServer, TheDeadlinesOfHttpDoNotCloseASocket) {
  ServerOptions options;
  options.keep_alive_timeout_ms = 250;
  options.request_head_timeout_ms = 250;
  start(options);
  echo();
  Client socket(*this), http(*this);
  open(socket);
  EXPECT_EQ(http.read_to_end(), "");  // the other's deadline has passed by now
  socket.send(frame(1, "still here"));
  EXPECT_EQ(receive(socket).payload, "still here");
}

TEST_F(WebSocketServer, StoppingClosesSocketsWithTheGivenReason) {
  start();
  echo();
  Client client(*this);
  open(client);
  bool done = false;
  server_->stop(1001, "the server stops", 10'000, [&] { done = true; });
  EXPECT_EQ(close_text(receive(client)), "1001 the server stops");
  client.send(close_frame(1001));
  EXPECT_EQ(client.read_to_end(), "");
  client.leave();
  EXPECT_TRUE(turn_until([&] { return done; }));
  ASSERT_EQ(seen_.closed.size(), 1U);
  EXPECT_EQ(seen_.closed[0].code, 1001);
}

TEST_F(WebSocketServer, StoppingReportsSocketsThatDoNotAnswerBeforeItIsDone) {
  start();
  echo();
  Client client(*this);
  open(client);
  bool done = false;
  server_->stop(1001, "the server stops", 300, [&] { done = true; });
  EXPECT_TRUE(turn_until([&] { return done; }));
  EXPECT_EQ(seen_.closed.size(), 1U);
}

TEST_F(WebSocketServer, AHandlerMayCloseTheSocketThatItHears) {
  start();
  echo();
  seen_.message_hook = [this](const testing::Recorder::Message& message) {
    server_->close(message.socket, 4000, "enough");
  };
  Client client(*this);
  open(client);
  client.send(frame(1, "a") + close_frame(1000));
  EXPECT_EQ(close_text(receive(client)), "4000 enough");
  EXPECT_EQ(client.read_to_end(), "");
  ASSERT_EQ(seen_.closed.size(), 1U);
  EXPECT_TRUE(seen_.closed[0].clean);
}

ServerOptions pinging(std::uint32_t interval_ms) {
  ServerOptions options;
  options.ping_interval_ms = interval_ms;
  return options;
}

TEST_F(WebSocketServer, AClientThatAnswersNoPingIsClosedAndReported) {
  start(pinging(300));
  echo();
  Client client(*this);
  open(client);
  EXPECT_EQ(receive(client).opcode, 9);
  EXPECT_TRUE(seen_.closed.empty());
  EXPECT_EQ(close_text(receive(client)), "1013 the client did not answer a ping");
  EXPECT_EQ(client.read_to_end(), "");
  ASSERT_EQ(seen_.closed.size(), 1U);
  EXPECT_EQ(seen_.closed[0].code, 1006);
  EXPECT_EQ(seen_.closed[0].reason, kNoPongReason);
  EXPECT_FALSE(seen_.closed[0].clean);
}

TEST_F(WebSocketServer, AClientThatAnswersPingsStays) {
  start(pinging(300));
  echo();
  Client client(*this);
  open(client);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(receive(client).opcode, 9);
    client.send(frame(10, ""));
  }
  client.send(frame(1, "here"));
  EXPECT_EQ(receive(client).payload, "here");
  EXPECT_TRUE(seen_.closed.empty());
}

TEST_F(WebSocketServer, AClientThatTalksIsNotPinged) {
  start(pinging(1'500));
  echo();
  Client client(*this);
  open(client);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(3'000);
  while (std::chrono::steady_clock::now() < end) {
    client.send(frame(1, "still here"));
    const Received answer = receive(client);
    ASSERT_EQ(answer.opcode, 1);
    turn_some(50);
  }
}

TEST_F(WebSocketServer, APausedClientIsNotTakenForDead) {
  start(pinging(300));
  echo();
  Client client(*this);
  open(client);
  server_->pause(socket_);
  EXPECT_EQ(receive(client).opcode, 9);
  client.send(frame(10, "") + frame(1, "waiting"));
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1'500);
  while (std::chrono::steady_clock::now() < end) turn_some();
  EXPECT_TRUE(seen_.closed.empty());
  server_->resume(socket_);
  Received answer = receive(client);
  while (answer.opcode == 9) answer = receive(client);
  EXPECT_EQ(answer.payload, "waiting");
}

}  // namespace
}  // namespace hearth::net
