#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::CoreTest;
using testing::FakeHost;
using ::testing::HasSubstr;
using testing::Received;

std::vector<std::string> texts(const std::vector<Received>& received) {
  std::vector<std::string> all;
  for (const Received& each : received) all.push_back(each.text);
  return all;
}

ConnectionId connection(unsigned counter) {
  return make_connection_id(0, 1, counter);
}

TEST_F(CoreTest, TellsAWebSocketWhyItsUpgradeWasRefused) {
  boot();
  const std::uint64_t number = request("/agents/rooom/a", true);
  host().send(wire::Respond{{number}, 404, 1, "", {}, "Not found"});
  settle();
  const auto& socket = network.sockets[network.upgrades[number].value];
  ASSERT_EQ(socket.sent.size(), 1u);
  EXPECT_THAT(socket.sent[0], HasSubstr("R401"));
  EXPECT_THAT(socket.sent[0], HasSubstr("/agents/room/:name"));
  EXPECT_EQ(socket.close_code, 4404);
  EXPECT_LE(socket.close_reason.size(), kWebSocketCloseReasonBytesMax);
}

TEST_F(CoreTest, AnswersAThrownErrorAsThePageOrJsonThatTheClientAccepts) {
  boot();
  const std::uint64_t json = request("/");
  host().send(wire::ResponseFailed{{json}, R"j({"message":"boom <b>","stack":"at f (a.ts:1)"})j"});
  const std::uint64_t page = request("/", false, std::string_view("Accept\0text/html,*/*\0", 21));
  host().send(wire::ResponseFailed{{page}, R"({"message":"boom <b>"})"});
  settle();
  EXPECT_EQ(network.answers[json].status, 500);
  EXPECT_THAT(network.answers[json].body, HasSubstr(R"("message":"boom <b>")"));
  EXPECT_THAT(network.answers[page].headers, HasSubstr("text/html"));
  EXPECT_THAT(network.answers[page].body, HasSubstr("boom &lt;b&gt;"));
}

TEST_F(CoreTest, KeepsCausesToTheLogInProduction) {
  options.mode = Mode::kServe;
  boot();
  const std::uint64_t number = request("/");
  host().send(wire::ResponseFailed{{number}, R"({"message":"secret cause"})"});
  settle();
  EXPECT_THAT(network.answers[number].body, ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(network.answers[number].body, HasSubstr("reference"));
  EXPECT_TRUE(report.has("secret cause"));
}

TEST_F(CoreTest, SaysAtOnceThatTheCodeDoesNotLoad) {
  launcher.ready_at_once = false;
  launcher.on_launch = [](FakeHost& host) {
    host.send(wire::LoadFailed{R"({"message":"top-level throw"})"});
  };
  boot();
  const std::uint64_t number = request("/");
  EXPECT_EQ(network.answers[number].status, 503);
  EXPECT_THAT(network.answers[number].body, HasSubstr("top-level throw"));
  // A build that works serves again.
  launcher.on_launch = [](FakeHost&) {};
  launcher.ready_at_once = true;
  deploy();
  request("/");
  EXPECT_EQ(host().count("Fetch"), 1u);
}

TEST_F(CoreTest, AnswersWithTheBuildErrorWhileThereIsNothingToServe) {
  launcher.ready_at_once = false;
  boot();
  const std::uint64_t waiting = request("/");
  EXPECT_FALSE(network.answers.contains(waiting));
  engine->set_build_fault(Fault{.code = "R413", .status = 503, .message = "comma missing"});
  settle();
  EXPECT_THAT(network.answers[waiting].body, HasSubstr("comma missing"));
  const std::uint64_t upgrade = request("/agents/room/a", true);
  EXPECT_EQ(network.sockets[network.upgrades[upgrade].value].close_code, 1013);
}

TEST_F(CoreTest, EndsAHostWhoseEventLoopIsBlocked) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  FakeHost& first = host();
  message(socket, "waits for the model");
  settle();
  const auto slow = first.take("SocketMessage").at(0);
  first.begin(slow.slot);
  world.advance(120'000);
  EXPECT_FALSE(first.killed) << "a handler that waits blocks nothing";
  message(socket, "for (;;);");
  settle();
  first.blocked = true;
  world.advance(29'000);
  EXPECT_FALSE(first.killed);
  world.advance(10'000);
  EXPECT_TRUE(first.killed);
  EXPECT_TRUE(report.has("R409"));
  EXPECT_EQ(texts(host().take("SocketMessage")), (std::vector<std::string>{"for (;;);"}));
  EXPECT_FALSE(network.sockets[socket.value].close_code);
}

}  // namespace
}  // namespace hearth::core
