// HTTP/1.1 against a listening server, by raw bytes.
#include "net/testing/http_fixture.h"

namespace hearth::net {
namespace {

using namespace std::string_literals;

using testing::HttpServer;

TEST_F(HttpServer, AnswersKeepAliveRequestsOneAfterAnother) {
  start();
  answer_with_target();
  Client client(*this);
  for (int i = 0; i < 5; ++i) {
    client.send(get("/" + std::to_string(i)));
    EXPECT_TRUE(client.read_response().ends_with("\r\n\r\n/" + std::to_string(i)));
  }
  EXPECT_EQ(server_->counters().connections_open, 1U);
  EXPECT_EQ(server_->counters().requests, 5U);
  EXPECT_EQ(seen_.requests[0].url, "http://h/0");
  EXPECT_EQ(seen_.requests[0].client_address, "127.0.0.1");
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrderWhateverOrderTheAnswersComeIn) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client, get("/a") + get("/b") + get("/c"), 3));
  server_->respond(seen_.requests[2].id, 200, "OK", {}, "third");
  server_->respond_streamed(seen_.requests[1].id, 200, "OK", {});
  server_->respond_data(seen_.requests[1].id, "sec");
  turn_some();
  EXPECT_EQ(client.inbox(), "");
  server_->respond(seen_.requests[0].id, 200, "OK", {}, "first");
  server_->respond_data(seen_.requests[1].id, "ond");
  server_->respond_end(seen_.requests[1].id);
  EXPECT_TRUE(client.read_response().ends_with("first"));
  EXPECT_TRUE(client.read_until("0\r\n\r\n").ends_with("3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n"));
  EXPECT_TRUE(client.read_response().ends_with("third"));
  turn_some();
  EXPECT_EQ(seen_.taken, 0U);  // an ended response has no use for room
}

TEST_F(HttpServer, StopsReadingPastTheBoundOfPipelinedRequests) {
  start();
  Client client(*this);
  std::string many;
  for (int i = 0; i < 200; ++i) many += get("/" + std::to_string(i));
  ASSERT_TRUE(ask(client, many, kPipelinedRequestsMax));
  turn_some();
  EXPECT_EQ(seen_.requests.size(), kPipelinedRequestsMax);
  for (std::size_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(turn_until([&] { return seen_.requests.size() > i; })) << i;
    server_->respond(seen_.requests[i].id, 200, "OK", {}, seen_.requests[i].target);
    EXPECT_TRUE(client.read_response().ends_with("/" + std::to_string(i)));
  }
}

TEST_F(HttpServer, RefusesAWrongRequestWithAReasonAndCloses) {
  start();
  answer_with_target();
  Client client(*this);
  client.send(get("/first") + get("/", "Host: two\r\n") + get("/never"));
  EXPECT_TRUE(client.read_response().ends_with("/first"));
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_NE(
      answer.find(R"({"error":{"code":"R411","message":"the request has two Host headers"}})"),
      std::string::npos);
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(seen_.requests.size(), 1U);
}

TEST_F(HttpServer, AHandshakeThatIsRefusedHasItsOwnCode) {
  start();
  Client client(*this);
  client.send(get("/",
                  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                  "Sec-WebSocket-Version: 8\r\n"));
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 426 ")) << answer;
  EXPECT_NE(answer.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find(R"({"error":{"code":"R410",)"), std::string::npos) << answer;
}

TEST_F(HttpServer, AnErrorAnswerIsSeenByAClientThatGoesOnSending) {
  start();
  Client client(*this);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n" +
              std::string(500'000, 'b'));
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 Content Too Large\r\n")) << answer;
  EXPECT_FALSE(client.was_reset());
}

TEST_F(HttpServer, Http10ClosesUnlessAskedToStay) {
  start();
  answer_with_target();
  Client once(*this), stays(*this);
  once.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_NE(once.read_to_end().find("Connection: close"), std::string::npos);
  stays.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(stays.read_response().find("Connection: keep-alive"), std::string::npos);
  stays.send("GET /b HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(stays.read_to_end().ends_with("/b"));
}

TEST_F(HttpServer, NothingIsReadBehindConnectionClose) {
  start();
  answer_with_target();
  Client client(*this);
  client.send(get("/a", "Connection: close\r\n") + get("/b"));
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.ends_with("/a")) << answer;
  EXPECT_EQ(seen_.requests.size(), 1U);
}

TEST_F(HttpServer, HeadHasNoBodyAndOptionsStarIsAnsweredHere) {
  start();
  answer_with_target();
  Client client(*this);
  client.send("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.read_until("\r\n\r\n").find("Content-Length: 4\r\n"), std::string::npos);
  client.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string options = client.read_until("\r\n\r\n");
  EXPECT_TRUE(options.starts_with("HTTP/1.1 204 No Content\r\nAllow: GET")) << options;
  EXPECT_EQ(seen_.requests.size(), 1U);
}

TEST_F(HttpServer, ASmallBodyIsRaisedWholeEvenWhenItComesLater) {
  start();
  Client client(*this);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234");
  turn_some(5);
  EXPECT_TRUE(seen_.requests.empty());
  ASSERT_TRUE(ask(client, "56789", 1));
  EXPECT_TRUE(seen_.requests[0].body_complete);
  EXPECT_EQ(seen_.requests[0].body, "0123456789");
}

TEST_F(HttpServer, ASmallBodyThatDoesNotComeIsNotWaitedForLong) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234", 1));
  EXPECT_FALSE(seen_.requests[0].body_complete);
  EXPECT_EQ(seen_.requests[0].body, "01234");
  client.send("56789");
  ASSERT_TRUE(turn_until([&] { return seen_.ended.size() == 1; }));
  EXPECT_EQ(seen_.streamed, "56789");
}

TEST_F(HttpServer, AStreamedRequestBodyWaitsForCredit) {
  start();
  Client client(*this);
  const std::size_t size = 3'000'000;
  const std::string body(size, 'b');
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  // As much as fits is sent; the server stops reading, and the kernel's buffers fill.
  std::size_t sent = 0;
  const auto push = [&] {
    while (sent < size) {
      const ssize_t count = ::send(client.fd(), body.data() + sent, size - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  };
  const auto got = [&] {
    return seen_.requests.empty() ? 0 : seen_.requests[0].body.size() + seen_.streamed.size();
  };
  for (int i = 0; i < 50; ++i) {
    push();
    turn_some(1);
  }
  EXPECT_EQ(got(), kBodyWindowBytes);
  ASSERT_TRUE(turn_until([&] {
    push();
    server_->body_credit(seen_.requests[0].id, 100'000);
    return !seen_.ended.empty();
  }));
  EXPECT_EQ(got(), size);
  server_->respond(seen_.requests[0].id, 200, "OK", {}, "done");
  EXPECT_TRUE(client.read_response().ends_with("done"));
}

TEST_F(HttpServer, ContinueIsSentWhenTheConsumerAsks) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client,
                  "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
                  1));
  turn_some(3);
  EXPECT_EQ(client.inbox(), "");
  server_->body_credit(seen_.requests[0].id, 0);
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  ASSERT_TRUE(turn_until([&] { return !seen_.ended.empty(); }));
  EXPECT_EQ(seen_.streamed, "abc");
  server_->respond(seen_.requests[0].id, 200, "OK", {}, "ok");
  EXPECT_TRUE(client.read_response().ends_with("ok"));
}

TEST_F(HttpServer, ContinueComesByItselfWhenNobodyAsks) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client,
                  "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
                  1));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_F(HttpServer, ContinueComesBeforeAStreamThatMayEchoTheBody) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client,
                  "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                  "Content-Length: 3\r\n\r\n",
                  1));
  server_->respond_streamed(seen_.requests[0].id, 200, "OK", {});
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  client.send("abc");
  ASSERT_TRUE(turn_until([&] { return !seen_.ended.empty(); }));
  server_->respond_data(seen_.requests[0].id, seen_.streamed);
  server_->respond_end(seen_.requests[0].id);
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "3\r\nabc\r\n0\r\n\r\n");
}

TEST_F(HttpServer, AFinalAnswerInsteadOfContinueCloses) {
  start();
  seen_.request_hook = [this](const Request& request) {
    server_->respond(request.id, 403, "Forbidden", {}, "no");
  };
  Client client(*this);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 403")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST_F(HttpServer, AFaultInABodyEndsItsRequest) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(
      client, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 1));
  client.send("zz\r\n");
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 400 Bad Request\r\n"));
  ASSERT_EQ(seen_.gone.size(), 1U);
  EXPECT_EQ(seen_.gone[0].second, "a chunk's size is not a hexadecimal number");
}

TEST_F(HttpServer, AFaultBehindAnUnansweredRequestWaitsForItsTurn) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client,
                  get("/a") +
                      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\nabc\r\nzz\r\n" +
                      get("/never"),
                  1));
  turn_some();
  EXPECT_EQ(seen_.requests.size(), 1U);
  EXPECT_EQ(client.inbox(), "");
  server_->respond(seen_.requests[0].id, 200, "OK", {}, "first");
  EXPECT_TRUE(client.read_response().ends_with("first"));
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_EQ(seen_.requests.size(), 1U);
}

TEST_F(HttpServer, AChunkedBodyOverTheLimitGets413) {
  ServerOptions options;
  options.request_body_bytes_max = 1000;
  start(options);
  Client client(*this);
  ASSERT_TRUE(ask(
      client, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 1));
  client.send("fff\r\n");
  EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 413 Content Too Large\r\n"));
  EXPECT_EQ(seen_.gone.size(), 1U);
}

TEST_F(HttpServer, AnAnswerBeforeTheBodyKeepsTheConnectionWhenTheRestIsSmall) {
  start();
  seen_.request_hook = [this](const Request& request) {
    server_->respond(request.id, 200, "OK", {}, request.target);
  };
  Client client(*this);
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n");
  EXPECT_TRUE(client.read_response().ends_with("/a"));
  client.send(std::string(50'000, 'b') + get("/b"));
  EXPECT_TRUE(client.read_response().ends_with("/b"));
  EXPECT_EQ(seen_.streamed, "");
  ASSERT_EQ(seen_.gone.size(), 1U);
}

TEST_F(HttpServer, AnAnswerBeforeALargeBodyClosesWithoutAReset) {
  start();
  seen_.request_hook = [this](const Request& request) {
    server_->respond(request.id, 200, "OK", {}, request.target);
  };
  Client client(*this);
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" +
              std::string(400'000, 'b'));
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.ends_with("/a")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST_F(HttpServer, AStreamedResponseReportsWhatTheClientTook) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client, get("/"), 1));
  const RequestId id = seen_.requests[0].id;
  server_->respond_streamed(id, 200, "OK", "Content-Type\0text/plain\0"s);
  const std::string piece(64 * 1024, 's');
  std::uint64_t sent = 0;
  // The client reads nothing: what it is said to have taken stays behind at the kernel's buffers.
  for (int i = 0; i < 400; ++i) {
    server_->respond_data(id, piece);
    sent += piece.size();
    turn_some(1);
  }
  EXPECT_LT(seen_.taken, sent);
  EXPECT_EQ(seen_.taken % piece.size(), 0U);
  EXPECT_GE(server_->counters().bytes_buffered, sent - seen_.taken - piece.size());
  std::size_t received = 0;
  ASSERT_TRUE(turn_until([&] {
    received += client.inbox().size();
    client.inbox().clear();
    return seen_.taken == sent;
  }));
  server_->respond_end(id);
  ASSERT_TRUE(turn_until([&] { return client.inbox().ends_with("0\r\n\r\n"); }));
  EXPECT_EQ(server_->counters().bytes_buffered, 0U);
}

TEST_F(HttpServer, AStreamThatIgnoresWhatWasTakenIsCutAtABound) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client, get("/"), 1));
  const RequestId id = seen_.requests[0].id;
  server_->respond_streamed(id, 200, "OK", {});
  const std::string piece(8 * 1024 * 1024, 's');
  for (int i = 0; i < 40; ++i) {
    server_->respond_data(id, piece);
    EXPECT_LE(server_->counters().bytes_buffered, kSocketSendBufferBytesMax + 1024);
  }
  EXPECT_FALSE(client.read_to_end().ends_with("\r\n0\r\n\r\n"));
}

TEST_F(HttpServer, AStreamWithALengthIsSizedAndKeptToIt) {
  start();
  Client exact(*this), less(*this), more(*this);
  const auto stream = [this](RequestId id, std::string_view data) {
    server_->respond_streamed(id, 200, "OK",
                              "Content-Length\0"
                              "5\0"s);
    server_->respond_data(id, data);
    server_->respond_end(id);
  };
  ASSERT_TRUE(ask(exact, get("/"), 1));
  stream(seen_.requests[0].id, "12345");
  EXPECT_TRUE(exact.read_response().ends_with("\r\n\r\n12345"));
  ASSERT_TRUE(ask(less, get("/"), 2));
  stream(seen_.requests[1].id, "123");
  EXPECT_TRUE(less.read_to_end().ends_with("\r\n\r\n123"));
  ASSERT_TRUE(ask(more, get("/"), 3));
  stream(seen_.requests[2].id, "1234567");
  EXPECT_TRUE(more.read_to_end().ends_with("\r\n\r\n12345"));
}

TEST_F(HttpServer, AnAbortedResponseEndsWithoutItsLastChunk) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client, get("/"), 1));
  server_->respond_streamed(seen_.requests[0].id, 200, "OK", {});
  server_->respond_data(seen_.requests[0].id, "part");
  server_->respond_abort(seen_.requests[0].id);
  EXPECT_TRUE(client.read_to_end().ends_with("4\r\npart\r\n"));
}

TEST_F(HttpServer, ForwardedProtoOfALocalProxyMakesHttps) {
  start();
  answer_with_target();
  Client client(*this);
  ASSERT_TRUE(ask(client, get("/a", "X-Forwarded-Proto: https\r\n"), 1));
  EXPECT_EQ(seen_.requests[0].url, "https://h/a");
}

}  // namespace
}  // namespace hearth::net
