// WebSockets against a listening server, by raw bytes.
#include <memory>
#include <string>
#include <vector>

#include "net/deflate.h"
#include "net/testing/websocket_fixture.h"

namespace hearth::net {
namespace {

using namespace std::string_literals;
using testing::WebSocketServer;

TEST_F(WebSocketServer, AnswersTheHandshakeWithTheHostsHeaders) {
  start();
  echo("Sec-WebSocket-Protocol\0chat\0Set-Cookie\0a=b\0Sec-WebSocket-Extensions\0mine\0"s);
  Client client(*this);
  const std::string answer = open(client, "Sec-WebSocket-Protocol: chat, other\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_NE(answer.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            std::string::npos);
  EXPECT_NE(answer.find("Sec-WebSocket-Protocol: chat\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Set-Cookie: a=b\r\n"), std::string::npos);
  EXPECT_EQ(answer.find("Sec-WebSocket-Extensions"), std::string::npos);
  EXPECT_EQ(server_->counters().websockets_open, 1U);
}

TEST_F(WebSocketServer, AWrongHandshakeSaysWhatIsWrong) {
  start();
  Client version(*this);
  version.send(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: "
      "websocket\r\nSec-WebSocket-Version: 8\r\n\r\n");
  const std::string answer = version.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n")) << answer;
  EXPECT_NE(answer.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos);
  EXPECT_TRUE(seen_.requests.empty());
}

TEST_F(WebSocketServer, AnUpgradeMayBeRefusedAndTheConnectionGoesOn) {
  start();
  seen_.request_hook = [this](const Request& request) {
    server_->respond(request.id, 403, "Forbidden", {}, request.upgrade ? "no" : "plain");
  };
  Client client(*this);
  client.send(handshake() + "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(client.read_response().ends_with("no"));
  EXPECT_TRUE(client.read_response().ends_with("plain"));
}

TEST_F(WebSocketServer, AnUpgradeWaitsForEarlierAnswers) {
  start();
  Client client(*this);
  client.send("GET /first HTTP/1.1\r\nHost: h\r\n\r\n" + handshake() + frame(1, "early"));
  ASSERT_TRUE(turn_until([&] { return seen_.requests.size() == 1; }));
  turn_some();
  EXPECT_EQ(seen_.requests.size(), 1U);
  server_->respond(seen_.requests[0].id, 200, "OK", {}, "one");
  EXPECT_TRUE(client.read_response().ends_with("one"));
  ASSERT_TRUE(turn_until([&] { return seen_.requests.size() == 2; }));
  const SocketId socket = server_->upgrade(seen_.requests[1].id, {});
  EXPECT_TRUE(socket);
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  ASSERT_TRUE(turn_until([&] { return seen_.messages.size() == 1; }));
  EXPECT_EQ(seen_.messages[0].data, "early");
}

TEST_F(WebSocketServer, EchoesMessagesOfEveryKindAndSize) {
  start();
  echo();
  Client client(*this);
  open(client);
  for (const std::size_t size : {0UL, 1UL, 125UL, 126UL, 65535UL, 65536UL, 1'000'000UL}) {
    const std::string data(size, 'd');
    client.send(frame(1, data));
    Received got = receive(client);
    EXPECT_EQ(got.opcode, 1);
    EXPECT_EQ(got.payload, data);
    client.send(frame(2, data + "\xff"));
    got = receive(client);
    EXPECT_EQ(got.opcode, 2);
    EXPECT_EQ(got.payload, data + "\xff");
  }
  client.send(frame(1, "\xc3\xa9"));
  (void)receive(client);
  EXPECT_EQ(seen_.messages[0].kind, MessageKind::kAsciiText);
  EXPECT_EQ(seen_.messages[1].kind, MessageKind::kBinary);
  EXPECT_EQ(seen_.messages.back().kind, MessageKind::kText);
}

TEST_F(WebSocketServer, BytesThatComeOneByOneMakeTheSameMessages) {
  start();
  echo();
  Client client(*this);
  open(client);
  for (const char byte : frame(1, "he", false) + frame(9, "ping") + frame(0, "llo")) {
    client.send({&byte, 1});
    turn_some(1);
  }
  const Received pong = receive(client);
  EXPECT_EQ(pong.opcode, 10);
  EXPECT_EQ(pong.payload, "ping");
  EXPECT_EQ(receive(client).payload, "hello");
}

TEST_F(WebSocketServer, SendsOfOneTurnLeaveInOneWrite) {
  start();
  echo();
  Client client(*this);
  open(client);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(server_->send(socket_, MessageKind::kText, "m"), SendResult::kSent);
  EXPECT_EQ(client.inbox(), "");  // nothing leaves before the turn ends
  ASSERT_TRUE(turn_until([&] { return !client.inbox().empty(); }));
  EXPECT_EQ(client.inbox().size(), 30U);
  EXPECT_EQ(server_->counters().messages_out, 10U);
}

TEST_F(WebSocketServer, APausedSocketIsNotReadUntilItIsResumed) {
  start();
  echo();
  seen_.message_hook = [this](const testing::Recorder::Message& message) {
    if (message.data == "two") server_->pause(message.socket);
  };
  Client client(*this);
  open(client);
  client.send(frame(1, "one") + frame(1, "two") + frame(1, "three"));
  ASSERT_TRUE(turn_until([&] { return seen_.messages.size() == 2; }));
  client.send(frame(1, "four"));
  turn_some();
  EXPECT_EQ(seen_.messages.size(), 2U);
  server_->resume(socket_);
  EXPECT_EQ(seen_.messages.size(), 2U);  // not within the command
  ASSERT_TRUE(turn_until([&] { return seen_.messages.size() == 4; }));
  EXPECT_EQ(seen_.messages[3].data, "four");
}

TEST_F(WebSocketServer, APingFloodFromAClientThatDoesNotReadIsBounded) {
  start();
  echo();
  Client client(*this);
  open(client);
  const std::string large(16 * 1024 * 1024, 'x');
  server_->send(socket_, MessageKind::kBinary, large);
  turn_some();
  std::string pings;
  for (int i = 0; i < 20'000; ++i) pings += frame(9, "ping " + std::to_string(i));
  const std::uint64_t before = server_->counters().bytes_buffered;
  std::string_view left = pings;
  while (!left.empty()) {
    const ssize_t count = ::send(client.fd(), left.data(), left.size(), MSG_NOSIGNAL);
    if (count > 0) left.remove_prefix(static_cast<std::size_t>(count));
    turn_some(1);
  }
  EXPECT_LE(server_->counters().bytes_buffered, before);
  EXPECT_EQ(receive(client).payload.size(), large.size());
  const Received pong = receive(client);
  EXPECT_EQ(pong.opcode, 10);
  EXPECT_EQ(pong.payload, "ping 19999");  // RFC 6455 section 5.5.3: the most recent is enough
}

TEST_F(WebSocketServer, CompressesLargeMessagesWhereAgreed) {
  start();
  echo();
  Client client(*this);
  const std::string answer =
      open(client, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  EXPECT_NE(answer.find("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                        "client_no_context_takeover\r\n"),
            std::string::npos);
  Deflater deflater;
  Inflater inflater;
  std::string text;
  for (int i = 0; i < 500; ++i) text += "line " + std::to_string(i) + "\n";
  client.send(frame(1, std::string(*deflater.compress(text, 15)), true, 4));
  const Received large = receive(client);
  EXPECT_TRUE(large.compressed);
  EXPECT_LT(large.payload.size(), text.size() / 2);
  EXPECT_EQ(*inflater.inflate(large.payload, 1 << 20), text);
  client.send(frame(1, "small"));
  const Received small = receive(client);
  EXPECT_FALSE(small.compressed);
  EXPECT_EQ(small.payload, "small");
}

TEST_F(WebSocketServer, ACompressedMessageMayNotGrowPastTheLimit) {
  ServerOptions options;
  options.websocket_message_bytes_max = 100'000;
  start(options);
  echo();
  Client client(*this);
  open(client, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  Deflater deflater;
  client.send(frame(1, std::string(*deflater.compress(std::string(10'000'000, 'a'), 15)), true, 4));
  EXPECT_TRUE(close_text(receive(client)).starts_with("1009 "));
}

TEST_F(WebSocketServer, CompressionCanBeSwitchedOff) {
  ServerOptions options;
  options.websocket_compression = false;
  start(options);
  echo();
  Client client(*this);
  EXPECT_EQ(open(client, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
                .find("Sec-WebSocket-Extensions"),
            std::string::npos);
  client.send(frame(1, "a", true, 4));
  EXPECT_TRUE(close_text(receive(client)).starts_with("1002 "));
}

TEST_F(WebSocketServer, ManySocketsKeepApart) {
  start();
  echo();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<Client>(*this));
    open(*clients.back());
  }
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i]->send(frame(1, std::to_string(i)));
  for (std::size_t i = 0; i < clients.size(); ++i)
    EXPECT_EQ(receive(*clients[i]).payload, std::to_string(i));
  for (std::size_t i = 0; i < clients.size(); i += 2) clients[i]->leave();
  ASSERT_TRUE(turn_until([&] { return server_->counters().websockets_open == 100; }));
  for (std::size_t i = 1; i < clients.size(); i += 2) {
    clients[i]->send(frame(1, "again"));
    EXPECT_EQ(receive(*clients[i]).payload, "again");
  }
}

}  // namespace
}  // namespace hearth::net
