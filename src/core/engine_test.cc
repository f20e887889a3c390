#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::CoreTest;
using ::testing::ElementsAre;
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

TEST_F(CoreTest, ServesWhenItsHostsAreReadyAndKeepsOneSpare) {
  boot();
  EXPECT_EQ(servings, 1);
  ASSERT_EQ(launcher.hosts.size(), 2u);
  EXPECT_EQ(launcher.hosts[0]->types(), "Promote");
  EXPECT_EQ(launcher.hosts[1]->types(), "");
  EXPECT_EQ(launcher.hosts[1]->configured, deployment.worker_json);
}

TEST_F(CoreTest, AnswersARequestOnce) {
  boot();
  const std::uint64_t number = request("/");
  const auto fetches = host().take("Fetch");
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].text, "http://h/");
  host().send(wire::Respond{{number}, 201, 1, "Created", {}, "made"});
  host().send(wire::Respond{{number}, 200, 1, "OK", {}, "again"});
  settle();
  EXPECT_EQ(network.answers[number].status, 201);
  EXPECT_EQ(network.answers[number].body, "made");
  EXPECT_EQ(engine->requests(), 0u);
}

TEST_F(CoreTest, StreamsBodiesBothWaysWithCredit) {
  boot();
  net::Request request;
  request.id = {7};
  request.method = "POST";
  request.url = "http://h/up";
  request.has_body = true;
  request.body = "one";
  last_request = 7;
  client().on_request(request);
  client().on_body({7}, "two");
  client().on_body_end({7});
  settle();
  EXPECT_EQ(texts(host().take("BodyData")), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(host().count("BodyEnd"), 1u);
  host().send(wire::BodyCredit{{7}, 6});
  host().send(wire::Respond{{7}, 200, 2, "", {}, {}});
  host().send(wire::ResponseData{{7}, "chunk"});
  settle();
  EXPECT_EQ(network.credit, 6u);
  EXPECT_EQ(network.answers[7].body, "chunk");
  client().on_response_taken({7}, 5);
  host().send(wire::ResponseEnd{{7}});
  settle();
  EXPECT_EQ(host().take("ResponseCredit")[0].count, 5u);
  EXPECT_TRUE(network.answers[7].ended);
  EXPECT_EQ(engine->requests(), 0u);
}

TEST_F(CoreTest, GivesMessagesInOrderAndSendsBack) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  for (int i = 0; i < 100; ++i) message(socket, std::to_string(i));
  settle();
  const auto messages = host().take("SocketMessage");
  ASSERT_EQ(messages.size(), 100u);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(messages[static_cast<std::size_t>(i)].text, std::to_string(i));
  EXPECT_EQ(engine->in_flight(0), 100u);
  for (const Received& each : messages) {
    host().begin(each.slot);
    host().finish(each.slot);
  }
  host().send(wire::Send{connection(1), 0, "echo"});
  settle();
  EXPECT_EQ(engine->in_flight(0), 0u);
  EXPECT_THAT(network.sockets[socket.value].sent, ElementsAre("echo"));
}

TEST_F(CoreTest, SendsToManyAndKeepsWhatIsSentBeforeThe101) {
  boot();
  const net::SocketId first = open_socket(host(), "a", connection(1));
  host().send(wire::SocketOpen{connection(2), agent("a"), 1, {}, {}});
  std::string ids;
  for (unsigned i = 1; i <= 3; ++i) {
    const std::uint64_t id = connection(i).value;
    ids.append(reinterpret_cast<const char*>(&id), sizeof id);
  }
  host().send(wire::SendMany{ids, 0, "all"});
  const std::uint64_t number = request("/agents/room/a", true);
  host().send(wire::RespondUpgrade{{number}, connection(2), {}});
  host().send(wire::Send{connection(2), 0, "after"});
  settle();
  EXPECT_THAT(network.sockets[first.value].sent, ElementsAre("all"));
  EXPECT_THAT(network.sockets[network.upgrades[number].value].sent, ElementsAre("all", "after"));
}

// ---- the death of a host

TEST_F(CoreTest, HandsEventsThatHadNotBegunToTheSpareInOrder) {
  boot();
  FakeHost& first = host();
  const net::SocketId socket = open_socket(first, "a", connection(1));
  for (const char* text : {"1", "2", "3", "4"}) message(socket, text);
  settle();
  const auto sent = first.take("SocketMessage");
  first.begin(sent[0].slot);
  first.finish(sent[0].slot);
  first.begin(sent[1].slot);
  first.die();
  message(socket, "5");
  settle();
  FakeHost& second = host();
  ASSERT_NE(&second, &first);
  EXPECT_EQ(texts(second.take("SocketMessage")), (std::vector<std::string>{"3", "4", "5"}));
  // Told of the agent and its socket first, and only once.
  EXPECT_EQ(second.count("AgentWake"), 1u);
  EXPECT_EQ(second.take("AgentSocket")[0].text, "attached");
  EXPECT_FALSE(network.sockets[socket.value].close_code);
  EXPECT_TRUE(report.has("had begun"));
  EXPECT_TRUE(report.has("it is not repeated"));
  // The next spare is on its way.
  EXPECT_EQ(launcher.hosts.size(), 3u);
}

// ---- agents that were at work

TEST_F(CoreTest, LetsInterruptedAgentsGoOnAtOnce) {
  boot();
  FakeHost& first = host();
  const net::SocketId begun = open_socket(first, "begun", connection(1));
  open_socket(first, "idle", connection(2));
  open_socket(first, "works", connection(3));
  message(begun, "x");
  settle();
  first.begin(first.take("SocketMessage")[0].slot);
  first.send(wire::AgentWorking{agent("works"), 1});
  settle();
  first.die();
  settle();
  std::vector<AgentId> resumed;
  for (const Received& each : host().take("AgentResume")) resumed.push_back(each.agent);
  EXPECT_THAT(resumed, ::testing::UnorderedElementsAre(agent("begun"), agent("works")));
  EXPECT_EQ(host().count("AgentWake"), 2u);
  EXPECT_EQ(host().count("AgentSocket"), 2u);
  // And it may be put to sleep again.
  host().send(wire::AgentSleep{agent("begun"), 0});
  settle();
  EXPECT_EQ(host().count("SleepAccepted"), 1u);
}

TEST_F(CoreTest, GoesOnWithAnAgentThatARequestNamed) {
  boot();
  request("/agents/room/asked");
  FakeHost& first = host();
  first.begin(first.take("Fetch")[0].slot);
  first.send(wire::AgentOpened{agent("asked"), "asked"});
  settle();
  first.die();
  settle();
  const auto resumed = host().take("AgentResume");
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].agent, agent("asked"));
}

TEST_F(CoreTest, ResumesAnAgentAgainWhenTheNextHostDiesTooButNotForEver) {
  options.quarantine_deaths = 0;
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  message(socket, "x");
  settle();
  host().begin(host().take("SocketMessage")[0].slot);
  for (int i = 0; i < 3; ++i) {
    host().die();
    settle();
    world.advance(20'000);
    ASSERT_EQ(host().count("AgentResume"), 1u) << i;
  }
  host().die();
  settle();
  world.advance(20'000);
  EXPECT_EQ(host().count("AgentResume"), 0u);
}

TEST_F(CoreTest, QuarantinesAnAgentThatEndsItsHostsAndLeavesItsNeighboursAlone) {
  boot();
  const net::SocketId bad = open_socket(host(), "bad", connection(1));
  const net::SocketId good = open_socket(host(), "good", connection(2));
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(network.sockets[bad.value].close_code) << i;
    FakeHost& dying = host();
    message(bad, "die");
    settle();
    dying.begin(dying.take("SocketMessage").back().slot);
    dying.die();
    settle();
    world.advance(12'000);
  }
  EXPECT_EQ(network.sockets[bad.value].close_code, 4503);
  EXPECT_THAT(network.sockets[bad.value].close_reason, HasSubstr("R414: Room/bad is quarantined"));
  EXPECT_FALSE(network.sockets[good.value].close_code);
  EXPECT_TRUE(report.has("R414 Room/bad is quarantined"));
  EXPECT_EQ(host().count("AgentResume"), 0u);

  const std::uint64_t refused = request("/agents/room/bad");
  EXPECT_EQ(network.answers[refused].status, 503);
  EXPECT_THAT(network.answers[refused].body, HasSubstr("Room/bad is quarantined"));
  host().send(wire::AgentOpened{agent("bad"), "bad"});
  settle();
  const auto told = host().take("AgentRefused");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0].text, HasSubstr("R414 Room/bad is quarantined"));

  message(good, "hello");
  settle();
  EXPECT_EQ(host().take("SocketMessage").back().text, "hello");
}

TEST_F(CoreTest, QuarantinesNobodyForDeathsThatAreFarApart) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  for (int i = 0; i < 5; ++i) {
    FakeHost& dying = host();
    message(socket, "die");
    settle();
    dying.begin(dying.take("SocketMessage").back().slot);
    dying.die();
    settle();
    world.advance(31'000);
  }
  EXPECT_FALSE(network.sockets[socket.value].close_code);
}

TEST_F(CoreTest, ReadsWhatADeadHostHadSentBeforeItsEnd) {
  boot();
  const std::uint64_t number = request("/");
  FakeHost& dying = host();
  dying.begin(dying.take("Fetch")[0].slot);
  dying.send(wire::Respond{{number}, 200, 1, "", {}, "in time"});
  dying.die();
  settle();
  EXPECT_EQ(network.answers[number].body, "in time");
}

TEST_F(CoreTest, AnswersRequestsThatHadBegunWith503AndRepeatsTheOthers) {
  boot();
  const std::uint64_t begun = request("/begun");
  const std::uint64_t waiting = request("/waiting");
  const std::uint64_t streaming = request("/streaming");
  FakeHost& first = host();
  const auto fetches = first.take("Fetch");
  first.begin(fetches[0].slot);
  first.begin(fetches[2].slot);
  first.send(wire::Respond{{streaming}, 200, 2, "", {}, {}});
  settle();
  first.die();
  settle();
  EXPECT_EQ(network.answers[begun].status, 503);
  EXPECT_THAT(network.answers[begun].body, HasSubstr("R413"));
  EXPECT_THAT(network.answers[begun].body, HasSubstr("ended before it answered"));
  EXPECT_TRUE(network.answers[streaming].aborted);
  EXPECT_FALSE(network.answers.contains(waiting));
  const auto again = host().take("Fetch");
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].subject, waiting);
  host().send(wire::Respond{{waiting}, 200, 1, "", {}, "done"});
  settle();
  EXPECT_EQ(network.answers[waiting].body, "done");
}

TEST_F(CoreTest, RepeatsAStreamedBodyWithItsRequest) {
  boot();
  net::Request request;
  request.id = {9};
  request.method = "POST";
  request.url = "http://h/up";
  request.has_body = true;
  client().on_request(request);
  client().on_body({9}, "part one, ");
  settle();
  host().die();
  client().on_body({9}, "part two");
  settle();
  client().on_body_end({9});
  settle();
  std::string body;
  for (const Received& each : host().take("BodyData")) body += each.text;
  EXPECT_EQ(body, "part one, part two");
  EXPECT_EQ(host().count("BodyEnd"), 1u);
}

TEST_F(CoreTest, ClosesSocketsThatCannotOutliveTheirHostWith1012) {
  boot();
  const net::SocketId plain = open_socket(host(), "a", connection(1), 0);
  const net::SocketId kept = open_socket(host(), "a", connection(2));
  const net::SocketId of_worker = open_socket(host(), "b", connection(3), wire::kSocketOfWorker);
  host().die();
  settle();
  EXPECT_EQ(network.sockets[plain.value].close_code, 1012);
  EXPECT_EQ(network.sockets[of_worker.value].close_code, 1012);
  EXPECT_FALSE(network.sockets[kept.value].close_code);
  client().on_socket_closed(plain, 1012, "", true);
  client().on_socket_closed(of_worker, 1012, "", true);
  settle();
  EXPECT_EQ(host().count("SocketClosed"), 0u);
  EXPECT_EQ(engine->connections(), 1u);
}

TEST_F(CoreTest, TellsAWokenAgentOfTheSocketThatClosed) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  host().send(wire::AgentSleep{agent("a"), 0});
  settle();
  ASSERT_EQ(host().count("SleepAccepted"), 1u);
  client().on_socket_closed(socket, 1000, "bye", true);
  settle();
  EXPECT_EQ(host().take("AgentWake").back().count, 1u);
  const auto closed = host().take("SocketClosed");
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].number, 1000);
  host().begin(closed[0].slot);
  host().finish(closed[0].slot);
  host().send(wire::AgentSleep{agent("a"), 1});
  settle();
  EXPECT_EQ(engine->connections(), 0u);
  EXPECT_EQ(engine->agents(), 0u);
}

TEST_F(CoreTest, HoldsASocketThatItsClientClosesUntilTheAnswersHaveLeft) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  message(socket, "question");
  EXPECT_TRUE(client().on_socket_closing(socket, 4001, "bye", true));
  settle();
  const auto question = host().take("SocketMessage").at(0);
  const auto closed = host().take("SocketClosed").at(0);
  EXPECT_EQ(closed.number, 4001);
  host().begin(question.slot);
  host().begin(closed.slot);
  host().finish(closed.slot);
  host().send(wire::Log{0, "{}"});
  world.advance(100);
  EXPECT_FALSE(network.sockets[socket.value].close_code) << "the question is not answered yet";
  host().send(wire::Send{connection(1), 0, "answer"});
  host().finish(question.slot);
  settle();
  world.advance(100);
  EXPECT_THAT(network.sockets[socket.value].sent, ElementsAre("answer"));
  EXPECT_EQ(network.sockets[socket.value].close_code, 4001);
  client().on_socket_closed(socket, 4001, "bye", true);
  settle();
  EXPECT_EQ(host().count("SocketClosed"), 0u) << "its end is told once";
  EXPECT_EQ(engine->connections(), 0u);
}

TEST_F(CoreTest, LetsAQuietSocketCloseAtOnce) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  EXPECT_FALSE(client().on_socket_closing(socket, 1000, "", true));
  message(socket, "long ago");
  settle();
  finish_all(host());
  world.advance(2'000);
  EXPECT_FALSE(client().on_socket_closing(socket, 1000, "", true));
}

TEST_F(CoreTest, EndsAHostThatSendsNonsense) {
  boot();
  FakeHost& first = host();
  first.raw(std::string("\x01\x00\x00\x00\xff", 5));
  settle();
  EXPECT_TRUE(first.killed);
  EXPECT_NE(&host(), &first);
  EXPECT_TRUE(report.has("unknown type"));
}

TEST_F(CoreTest, TellsPeersOfADeathAndCarriesTheirCalls) {
  options.supervisor.host_count = 2;
  boot();
  FakeHost& left = host(0);
  FakeHost& right = host(1);
  left.send(wire::PeerSend{1, "call"});
  settle();
  const auto calls = right.take("PeerData");
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].text, "call");
  EXPECT_EQ(calls[0].count, 0u);
  right.die();
  settle();
  EXPECT_EQ(left.take("PeerGone")[0].count, 1u);
  left.send(wire::PeerSend{1, "to the next"});
  settle();
  EXPECT_EQ(texts(host(1).take("PeerData")), (std::vector<std::string>{"to the next"}));
}

TEST_F(CoreTest, PutsEachAgentOnTheSlotThatOwnsIt) {
  options.supervisor.host_count = 3;
  boot();
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    request(std::string("/agents/room/") + name);
    const unsigned slot = wire::owning_slot(agent(name).bytes, 3);
    const auto fetches = host(slot).take("Fetch");
    ASSERT_EQ(fetches.size(), 1u) << name;
  }
}

// ---- sleep

TEST_F(CoreTest, RefusesSleepWhenAnEventIsOnItsWay) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  message(socket, "late");
  host().send(wire::AgentSleep{agent("a"), 0});
  settle();
  EXPECT_EQ(host().count("SleepAccepted"), 0u);
  host().send(wire::AgentSleep{agent("a"), 1});
  settle();
  EXPECT_EQ(host().count("SleepAccepted"), 1u);
  host().received.clear();
  message(socket, "wake up");
  settle();
  EXPECT_EQ(launcher.hosts[0]->types(), "AgentWake AgentSocket SocketMessage");
}

TEST_F(CoreTest, AnswersAutomaticallyWithoutWakingAnyone) {
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  host().send(wire::AutoResponse{agent("a"), 1, "ping", "pong"});
  host().send(wire::AgentSleep{agent("a"), 0});
  settle();
  message(socket, "ping");
  settle();
  EXPECT_THAT(network.sockets[socket.value].sent, ElementsAre("pong"));
  EXPECT_EQ(host().count("SocketMessage"), 0u);
  message(socket, "real");
  settle();
  EXPECT_EQ(host().count("SocketMessage"), 1u);
  message(socket, "ping");
  settle();
  EXPECT_EQ(host().count("AutoResponded"), 1u);
}

// ---- bounds

TEST_F(CoreTest, PausesClientsOfACrowdedHostAndRefusesRequests) {
  options.queue_bytes_max = 100'000;
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  const std::string large(30'000, 'x');
  for (int i = 0; i < 4; ++i) message(socket, large);
  EXPECT_TRUE(network.sockets[socket.value].paused);
  const std::uint64_t number = request("/");
  EXPECT_EQ(network.answers[number].status, 503);
  EXPECT_THAT(network.answers[number].headers, HasSubstr("retry-after"));
  EXPECT_EQ(host().count("SocketMessage"), 4u);
  finish_all(host());
  EXPECT_FALSE(network.sockets[socket.value].paused);
  EXPECT_EQ(engine->in_flight(0), 0u);
}

TEST_F(CoreTest, KeepsWhatTheProgressPageHasNoPlaceFor) {
  options.queue_events_max = 50;
  boot();
  const net::SocketId socket = open_socket(host(), "a", connection(1));
  for (std::uint32_t i = 0; i < kProgressSlots + 50; ++i) message(socket, std::to_string(i));
  settle();
  EXPECT_EQ(engine->pending(0), 50u);
  EXPECT_TRUE(network.sockets[socket.value].paused);
  EXPECT_EQ(host().count("SocketMessage"), kProgressSlots);
  finish_all(host());
  const auto rest = host().take("SocketMessage");
  ASSERT_EQ(rest.size(), 50u);
  EXPECT_EQ(rest.front().text, std::to_string(kProgressSlots));
  EXPECT_EQ(rest.back().text, std::to_string(kProgressSlots + 49));
  EXPECT_FALSE(network.sockets[socket.value].paused);
}

// ---- faults

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

// ---- the supervisor

TEST_F(CoreTest, BacksOffWhenHostsDieAtTheirStartAndSaysSo) {
  launcher.ready_at_once = false;
  launcher.on_launch = [&](FakeHost& host) { world.defer([&host] { host.die({1, 0}); }); };
  boot();
  world.advance(20'000);
  // 2 at once, then after 100, 200, 400 … ms and at last every 10 s.
  EXPECT_GE(launcher.hosts.size(), 5u);
  EXPECT_LE(launcher.hosts.size(), 12u);
  EXPECT_TRUE(report.has("in a row died"));
  const std::uint64_t number = request("/");
  EXPECT_EQ(network.answers[number].status, 503);
}

TEST_F(CoreTest, SaysThatHostsCannotBeStarted) {
  launcher.refuse = true;
  boot();
  EXPECT_TRUE(report.has("No such file"));
  EXPECT_EQ(network.answers[request("/")].status, 503);
  launcher.refuse = false;
  world.advance(11'000);
  request("/");
  EXPECT_EQ(host().count("Fetch"), 1u);
}

TEST_F(CoreTest, ReplacesAHostByDrainingItFirst) {
  boot();
  FakeHost& old = host();
  const net::SocketId socket = open_socket(old, "a", connection(1));
  message(socket, "1");
  message(socket, "2");
  settle();
  const auto sent = old.take("SocketMessage");
  old.begin(sent[0].slot);
  deployment.worker_json.insert(1, R"("version":2,)");
  deploy();
  EXPECT_EQ(old.count("Drain"), 1u);
  // Held until the old one is done: an agent lives in one place.
  message(socket, "3");
  settle();
  EXPECT_EQ(launcher.hosts[2]->types(), "");
  old.finish(sent[0].slot);
  old.drained();
  settle();
  FakeHost& fresh = host();
  EXPECT_EQ(&fresh, launcher.hosts[2].get());
  EXPECT_EQ(texts(fresh.take("SocketMessage")), (std::vector<std::string>{"2", "3"}));
  EXPECT_EQ(fresh.count("AgentSocket"), 1u);
  EXPECT_FALSE(network.sockets[socket.value].close_code);
  // The old spare is gone, a new one is there.
  EXPECT_TRUE(launcher.hosts[1]->killed);
  world.advance(1'000);
  EXPECT_EQ(launcher.hosts.size(), 4u);
}

TEST_F(CoreTest, EndsAHostThatDoesNotDrainInTime) {
  boot();
  FakeHost& old = host();
  const std::uint64_t number = request("/slow");
  old.begin(old.take("Fetch")[0].slot);
  deploy();
  EXPECT_FALSE(old.killed);
  world.advance(2'200);
  EXPECT_TRUE(old.killed);
  EXPECT_EQ(network.answers[number].status, 503);
  EXPECT_NE(&host(), &old);
}

TEST_F(CoreTest, KeepsNamespaceNumbersAcrossAReload) {
  boot();
  open_socket(host(), "a", connection(1));
  deployment.namespaces = {{"Other", "w-Other"}, {"Room", "w-Room"}};
  deployment.worker_json =
      R"({"namespaces":[{"className":"Other","uniqueKey":"w-Other"},{"className":"Room","uniqueKey":"w-Room"}],)"
      R"("bindings":[{"name":"OTHER","namespace":0},{"name":"ROOM","namespace":1}]})";
  deployment.routes = {{"other", "OTHER", 0}, {"room", "ROOM", 1}};
  deploy();
  launcher.hosts[0]->drained();
  settle();
  EXPECT_EQ(
      host().configured,
      R"({"namespaces":[{"className":"Room","uniqueKey":"w-Room"},{"className":"Other","uniqueKey":"w-Other"}],)"
      R"("bindings":[{"name":"OTHER","namespace":1},{"name":"ROOM","namespace":0}]})");
}

TEST_F(CoreTest, StopsInOrder) {
  boot();
  open_socket(host(), "a", connection(1));
  FakeHost& active = host();
  bool done = false;
  engine->stop([&] { done = true; });
  settle();
  EXPECT_EQ(network.stop_code, 1001);
  EXPECT_EQ(active.count("Drain"), 1u);
  EXPECT_FALSE(done);
  active.drained();
  settle();
  active.die({0, 0});
  settle();
  world.advance(10);
  EXPECT_TRUE(done);
  registry.reset();
  EXPECT_TRUE(Registry::open(state, world).value()->was_closed_cleanly());
}

TEST_F(CoreTest, StopsEvenWhenAHostDoesNotDrain) {
  boot();
  bool done = false;
  engine->stop([&] { done = true; });
  world.advance(2'600);
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace hearth::core
