// The server's life around its requests: listening, deadlines, clients that leave, stopping.
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <string>

#include "net/testing/http_fixture.h"

namespace hearth::net {
namespace {

using testing::HttpServer;

TEST_F(HttpServer, ASlowHeadGets408AndASilentClientNothing) {
  ServerOptions options;
  options.request_head_timeout_ms = 300;
  options.keep_alive_timeout_ms = 300;
  start(options);
  Client slow(*this), silent(*this);
  slow.send("GET / HTTP/1.1\r\nHos");
  EXPECT_TRUE(slow.read_to_end().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_EQ(silent.read_to_end(), "");
}

TEST_F(HttpServer, AnIdleKeepAliveConnectionIsClosedInTime) {
  ServerOptions options;
  options.keep_alive_timeout_ms = 300;
  start(options);
  answer_with_target();
  Client client(*this);
  client.send(get("/a"));
  EXPECT_TRUE(client.read_response().ends_with("/a"));
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_FALSE(client.was_reset());
}

TEST_F(HttpServer, AClientThatLeavesIsReportedOnce) {
  start();
  Client mid_body(*this), waiting(*this), reset(*this);
  ASSERT_TRUE(ask(mid_body, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc", 1));
  mid_body.leave();
  ASSERT_TRUE(turn_until([&] { return seen_.gone.size() == 1; }));
  ASSERT_TRUE(ask(waiting, get("/"), 2));
  waiting.leave();
  ASSERT_TRUE(turn_until([&] { return seen_.gone.size() == 2; }));
  ASSERT_TRUE(ask(reset, get("/"), 3));
  reset.reset();
  ASSERT_TRUE(turn_until([&] { return seen_.gone.size() == 3; }));
  for (const auto& request : seen_.requests) server_->respond(request.id, 200, "OK", {}, "late");
  turn_some();
  EXPECT_EQ(seen_.gone.size(), 3U);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

TEST_F(HttpServer, AHalfClosedClientStillGetsItsAnswer) {
  start();
  Client client(*this);
  ASSERT_TRUE(ask(client, get("/"), 1));
  client.half_close();
  turn_some();
  server_->respond(seen_.requests[0].id, 200, "OK", {}, "answer");
  EXPECT_TRUE(client.read_to_end().ends_with("answer"));
}

TEST_F(HttpServer, AHalfClosedClientGetsALargeAnswerWhole) {
  start();
  const std::string large(20'000'000, 'l');
  seen_.request_hook = [&](const Request& request) {
    server_->respond(request.id, 200, "OK", {}, large);
  };
  Client client(*this);
  client.send(get("/"));
  client.half_close();
  turn_some();
  EXPECT_GT(client.read_to_end().size(), large.size());
  EXPECT_TRUE(turn_until([&] { return server_->counters().connections_open == 0; }));
}

TEST_F(HttpServer, IdsOfThePastAreIgnored) {
  start();
  answer_with_target();
  RequestId old;
  {
    Client client(*this);
    client.send(get("/a"));
    (void)client.read_response();
    old = seen_.requests[0].id;
  }
  ASSERT_TRUE(turn_until([&] { return server_->counters().connections_open == 0; }));
  seen_.request_hook = nullptr;
  Client successor(*this);  // takes the same slot
  ASSERT_TRUE(ask(successor, get("/b"), 2));
  server_->respond(old, 200, "OK", {}, "misdirected");
  server_->respond(RequestId{0}, 200, "OK", {}, "nobody");
  server_->respond(RequestId{(1ULL << 53) - 1}, 200, "OK", {}, "nobody");
  server_->respond(seen_.requests[1].id, 200, "OK", {}, "right");
  EXPECT_TRUE(successor.read_response().ends_with("right"));
}

TEST_F(HttpServer, AcceptedSocketsDoNotDelay) {
  start();
  Client client(*this);
  ASSERT_TRUE(turn_until([&] { return server_->counters().connections_open == 1; }));
  // The server's end is the descriptor whose peer is this client's own address.
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &size);
  bool found = false;
  for (int fd = 3; fd < 200; ++fd) {
    sockaddr_in peer{};
    size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
        peer.sin_port != own.sin_port)
      continue;
    int value = 0;
    size = sizeof value;
    ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size);
    EXPECT_NE(value, 0);
    found = true;
  }
  EXPECT_TRUE(found);
}

TEST_F(HttpServer, SurvivesRunningOutOfDescriptors) {
  start();
  answer_with_target();
  Client first(*this), second(*this);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 3;
  ::setrlimit(RLIMIT_NOFILE, &none);
  first.send(get("/a"));
  turn_some();
  EXPECT_EQ(server_->counters().connections_open, 0U);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(first.read_response().ends_with("/a"));
  second.send(get("/b"));
  EXPECT_TRUE(second.read_response().ends_with("/b"));
}

TEST_F(HttpServer, ATakenPortIsAConflictAndAWrongAddressIsNamed) {
  start();
  ServerOptions options;
  options.port = server_->port();
  testing::Recorder other;
  const Status taken = make_server(loop_, options, other)->start();
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, ErrorCode::kConflict);
  options.address = "not an address";
  const Status wrong = make_server(loop_, options, other)->start();
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().message.find("not an address"), std::string::npos);
}

TEST_F(HttpServer, StoppingFinishesWhatIsBeingAnswered) {
  start();
  Client idle(*this), busy(*this);
  ASSERT_TRUE(ask(busy, get("/"), 1));
  bool done = false;
  server_->stop(1001, "bye", 10'000, [&] { done = true; });
  EXPECT_EQ(idle.read_to_end(), "");
  idle.leave();
  EXPECT_FALSE(done);
  server_->respond(seen_.requests[0].id, 200, "OK", {}, "last");
  const std::string answer = busy.read_to_end();
  EXPECT_TRUE(answer.ends_with("last"));
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  busy.leave();
  EXPECT_TRUE(turn_until([&] { return done; }));
}

TEST_F(HttpServer, StoppingEndsAtItsDeadline) {
  start();
  Client busy(*this);
  ASSERT_TRUE(ask(busy, get("/"), 1));
  bool done = false;
  server_->stop(1001, "bye", 300, [&] { done = true; });
  EXPECT_TRUE(turn_until([&] { return done; }));
  EXPECT_EQ(seen_.gone.size(), 1U);
  EXPECT_EQ(server_->counters().connections_open, 0U);
}

}  // namespace
}  // namespace hearth::net
