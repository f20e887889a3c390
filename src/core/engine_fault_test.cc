#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/fault.h"
#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::connection;
using testing::CoreTest;
using testing::FakeHost;
using ::testing::HasSubstr;
using testing::texts;

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

TEST(FaultPage, ShowsAnEditLineByLine) {
  const Fault fault{.code = "B204", .message = "it is", .fix = "--- a/x\n same <T>\n-old\n+new\n"};
  const std::string page = render(fault, Mode::kDev, "text/html", {}).body;
  EXPECT_THAT(page, HasSubstr(" same &lt;T&gt;\n<del>-old</del>\n<ins>+new</ins>\n</pre>"));
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

TEST_F(CoreTest, EndsABlockedHostThatHasNoEventOfTheCores) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  FakeHost& first = host();
  world.advance(120'000);
  EXPECT_FALSE(first.killed) << "nothing to do is no sign of anything";
  first.blocked = true;
  world.advance(29'000);
  EXPECT_FALSE(first.killed);
  world.advance(10'000);
  EXPECT_TRUE(first.killed);
  EXPECT_TRUE(report.has("R409"));
  EXPECT_FALSE(network.sockets[socket.value].close_code);
}

TEST_F(CoreTest, TurnsTheSdksWordsForAnUnknownAgentIntoItsCause) {
  boot();
  const std::uint64_t fresh = request("/agents/Room/a");
  host().send(wire::Respond{{fresh}, 400, 1, "", {}, "Invalid request"});
  const std::uint64_t old = request("/agents/rom/a");
  host().send(wire::ResponseFailed{
      {old}, R"j({"message":"Cannot read properties of undefined (reading 'idFromName')"})j"});
  const std::uint64_t prefixed = request("/api/rooms/a?x=/agents/room/b");
  host().send(
      wire::ResponseFailed{{prefixed}, R"({"message":"x","code":"R401","segment":"rooms"})"});
  settle();
  EXPECT_EQ(network.answers[fresh].status, 404);
  const std::string& body = network.answers[fresh].body;
  EXPECT_THAT(body, HasSubstr("no agent is served at /agents/Room; nearest: /agents/room "
                              "(binding ROOM, wrangler.jsonc:7:17)"));
  EXPECT_THAT(body, HasSubstr(R"("where":"wrangler.jsonc:7:17")"));
  EXPECT_THAT(body, HasSubstr(R"(ask for agent: \"room\". Served: /agents/room/:name)"))
      << "no binding is ever served at a segment with a capital";
  EXPECT_THAT(network.answers[old].body, HasSubstr(R"(or name the binding \"rom\")"));
  EXPECT_THAT(network.answers[prefixed].body, HasSubstr("no agent is served at /api/rooms;"));
  EXPECT_TRUE(report.has("R401 no agent is served at /agents/rom"));
}

TEST_F(CoreTest, LeavesWhatTheCodeItselfAnswers) {
  boot();
  const auto answer = [&](const std::string& path, std::uint16_t status, std::string_view body) {
    const std::uint64_t number = request(path);
    host().send(wire::Respond{{number}, status, 1, "", {}, body});
    settle();
    return network.answers[number];
  };
  EXPECT_EQ(answer("/agents/rom/a", 400, "Invalid request: no such room").status, 400);
  EXPECT_EQ(answer("/agents/room/a", 400, "Invalid request").body, "Invalid request");
  EXPECT_EQ(answer("/items/7", 400, "Invalid request").body, "Invalid request");
  EXPECT_EQ(answer("/agents/rom/a", 404, "Not found").body, "Not found");
  EXPECT_EQ(answer("/nothing", 404, "Not found").body, "Not found");
  EXPECT_FALSE(report.has("R402"));
  // In dev the log says what may have been meant.
  EXPECT_EQ(answer("/room/a", 404, "Not found").body, "Not found");
  EXPECT_TRUE(report.has("R402 /room/a is not under /agents/, where ROOM is served"));
  answer("/agents/room", 404, "Not found");
  EXPECT_TRUE(report.has("R402 /agents/room names an agent and no instance"));
}

TEST_F(CoreTest, SaysWhichBindingIsMissing) {
  boot();
  const std::uint64_t number = request("/");
  host().send(wire::ResponseFailed{
      {number}, R"({"message":"m","code":"R403","binding":"ROM","where":"server.ts:3:9"})"});
  const std::uint64_t upgrade = request("/", true);
  host().send(wire::ResponseFailed{{upgrade}, R"({"message":"m","code":"R403","binding":"DB"})"});
  const std::uint64_t text = request("/");
  host().send(wire::ResponseFailed{
      {text}, R"({"message":"m","code":"R403","binding":"API_KEY","text":true})"});
  settle();
  EXPECT_THAT(network.answers[text].body, HasSubstr("API_KEY=... in .dev.vars"));
  EXPECT_THAT(network.answers[number].body,
              HasSubstr("env.ROM is undefined: nothing binds it; nearest: env.ROOM"));
  EXPECT_THAT(network.answers[number].body, HasSubstr(R"("where":"server.ts:3:9")"));
  EXPECT_THAT(network.answers[number].body,
              HasSubstr(R"({ \"name\": \"ROM\", \"class_name\": \"Room\" })"));
  EXPECT_EQ(network.sockets[network.upgrades[upgrade].value].close_code, 4500)
      << "what stays wrong is not tried again";
}

TEST_F(CoreTest, NamesWhyAnUpgradeGotNoSocket) {
  boot();
  const auto closed = [&](const std::string& path, std::uint16_t status, std::string_view body) {
    const std::uint64_t number = request(path, true);
    host().send(wire::Respond{{number}, status, 1, "", {}, body});
    settle();
    const auto& socket = network.sockets[network.upgrades[number].value];
    return std::to_string(socket.close_code.value_or(0)) + " " + socket.close_reason;
  };
  EXPECT_THAT(closed("/agents/room", 404, ""), HasSubstr("4404 R402: /agents/room names an agent"));
  EXPECT_THAT(closed("/x/room/a", 404, ""),
              HasSubstr("4404 R402: /x/room/a is not under /agents/"));
  EXPECT_THAT(closed("/ws", 404, "No"), HasSubstr("4404 R402: /ws reaches no agent"));
  EXPECT_THAT(closed("/ws", 404, "No"), HasSubstr("/agents/room/:name"));
  EXPECT_THAT(closed("/agents/room/a", 401, "no token"), HasSubstr("4401 R410: "));
  EXPECT_THAT(closed("/agents/room/a", 200, "hello"), HasSubstr("4426 R405: "));
  EXPECT_THAT(closed("/agents/room/a", 503, "later"), HasSubstr("1013 R405: "));
}

TEST_F(CoreTest, AnswersForAHandlerThatDoesNot) {
  boot();
  FakeHost& slow = host();
  const std::uint64_t waits = request("/agents/room/a");
  const std::uint64_t upgrade = request("/agents/room/b", true);
  const std::uint64_t streams = request("/stream");
  host().send(wire::Respond{{streams}, 200, 2, "", {}, ""});
  settle();
  world.advance(99'000);
  EXPECT_FALSE(network.answers.contains(waits));
  world.advance(2'500);
  EXPECT_EQ(network.answers[waits].status, 504);
  EXPECT_THAT(network.answers[waits].body, HasSubstr("R408"));
  EXPECT_THAT(network.answers[waits].body, HasSubstr("for Room/a, has not answered GET "));
  EXPECT_EQ(network.sockets[network.upgrades[upgrade].value].close_code, 1011);
  EXPECT_FALSE(network.answers[streams].aborted) << "a stream may take as long as it takes";
  EXPECT_EQ(slow.count("RequestGone"), 2u);
}

TEST_F(CoreTest, LetsMessagesAndAlarmsTakeAsLongAsTheyTake) {
  boot();
  FakeHost& slow = host();
  const net::SocketId socket = open_socket(slow, "a", connection(1));
  message(socket, "takes long");
  slow.send(wire::AlarmSet{agent("b"), "b", world.wall_ms() + 1});
  settle();
  world.advance(1);
  slow.begin(slow.take("SocketMessage").at(0).slot);
  slow.begin(slow.take("Alarm").at(0).slot);
  world.advance(24 * 3'600'000);
  EXPECT_FALSE(slow.killed);
  EXPECT_FALSE(network.sockets[socket.value].close_code);
  EXPECT_EQ(slow.count("Alarm"), 0u) << "not a second time while the first has not ended";
  message(socket, "comes after it");
  settle();
  EXPECT_EQ(slow.take("SocketMessage").at(0).text, "comes after it");
}

}  // namespace
}  // namespace hearth::core
