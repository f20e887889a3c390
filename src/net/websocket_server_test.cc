// WebSockets against a listening server, by raw bytes.
#include "net/deflate.h"
#include "net/http_response.h"
#include "net/testing/fixture.h"

namespace hearth::net {
namespace {

using namespace std::string_literals;

class WebSocketServer : public testing::ServerTest {
 protected:
  static std::string handshake(const std::string& headers = "") {
    return "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
           headers + "\r\n";
  }
  static std::string frame(int opcode, const std::string& payload, bool final = true,
                           int reserved = 0) {
    std::string out;
    out += static_cast<char>((final ? 0x80 : 0) | reserved << 4 | opcode);
    const std::size_t size = payload.size();
    const int width = size < 126 ? 0 : size < 65536 ? 2 : 8;
    out += static_cast<char>(0x80U | (width == 0 ? size : width == 2 ? 126U : 127U));
    for (int i = width - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i));
    const char key[4] = {'\x01', '\xfe', '\x55', '\x00'};
    out.append(key, 4);
    for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ key[i & 3]);
    return out;
  }
  static std::string close_frame(int code, const std::string& reason = "") {
    return frame(8, std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + reason);
  }
  struct Received {
    int opcode;
    bool compressed;
    std::string payload;
  };
  Received receive(Client& client) {
    const std::string head = client.read(2);
    if (head.size() < 2) return {-1, false, "the server closed"};
    EXPECT_EQ(head[1] & 0x80, 0) << "a server's frame is not masked";
    std::uint64_t size = static_cast<unsigned char>(head[1]);
    if (size >= 126) {
      const std::string extended = client.read(size == 126 ? 2 : 8);
      size = 0;
      for (const char c : extended) size = size << 8 | static_cast<unsigned char>(c);
    }
    return {head[0] & 0x0f, (head[0] & 0x40) != 0, client.read(size)};
  }
  static std::string close_text(const Received& frame) {
    if (frame.opcode != 8) return "opcode " + std::to_string(frame.opcode);
    if (frame.payload.empty()) return "no code";
    const int code = static_cast<unsigned char>(frame.payload[0]) << 8 |
                     static_cast<unsigned char>(frame.payload[1]);
    return std::to_string(code) + " " + frame.payload.substr(2);
  }
  // Accepts every upgrade, echoes every message.
  void echo(const std::string& headers = "") {
    seen_.request_hook = [this, headers](const Request& request) {
      if (request.upgrade) socket_ = server_->upgrade(request.id, headers);
    };
    seen_.message_hook = [this](const testing::Recorder::Message& message) {
      server_->send(message.socket, message.kind, message.data);
    };
  }
  std::string open(Client& client, const std::string& headers = "") {
    client.send(handshake(headers));
    return client.read_until("\r\n\r\n");
  }
  SocketId socket_;
};

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

TEST_F(WebSocketServer, AProtocolFaultGetsItsCodeAndAReason) {
  const std::vector<std::tuple<std::string, std::string, int>> cases = {
      {"\x81\x01"
       "a",
       "1002 a client's frame is not masked", 1002},
      {frame(3, "a"), "1002 a frame has a reserved opcode", 1002},
      {frame(1, "\xff"), "1007 a text message is not UTF-8", 1007},
      {frame(2, std::string(101, 'a')),
       "1009 the message is larger than this server takes: 100 bytes", 1009},
      {close_frame(1005), "1002 a close frame has a reserved code", 1002}};
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
  EXPECT_EQ(close_text(receive(breaks)), "1002 a frame has a reserved opcode");
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
