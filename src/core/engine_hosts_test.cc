#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::connection;
using testing::CoreTest;
using testing::FakeHost;
using testing::texts;

TEST_F(CoreTest, EndsAHostThatSendsNonsense) {
  boot();
  FakeHost& first = host();
  first.raw(std::string("\x01\x00\x00\x00\xff", 5));
  settle();
  EXPECT_TRUE(first.killed);
  EXPECT_NE(&host(), &first);
  EXPECT_TRUE(report.has("unknown type"));
}

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

// Spares that somebody ends now and then say nothing of the code.
TEST_F(CoreTest, DeathsOfSparesThatHadLivedAreNoCrashLoop) {
  boot();
  for (int i = 0; i < 6; ++i) {
    world.advance(5'000);
    launcher.hosts.back()->die();
    settle();
    EXPECT_EQ(launcher.hosts.size(), 3u + static_cast<std::size_t>(i)) << "replaced at once";
  }
  EXPECT_FALSE(report.has("in a row"));
  EXPECT_TRUE(report.has("died: signal 9"));
}

TEST_F(CoreTest, DeathsAtTheStartAreInARowOnlyWithoutAHostThatLivedBetweenThem) {
  boot();
  for (int i = 0; i < 6; ++i) {
    launcher.ready_at_once = false;
    launcher.hosts.back()->die();
    settle();
    launcher.ready_at_once = true;
    launcher.hosts.back()->die();  // the next spare, while it starts
    settle();
    world.advance(5'000);
  }
  EXPECT_FALSE(report.has("in a row"));
}

// Another slot's host, which goes on all the time, does not make a loop slower to see.
TEST_F(CoreTest, ASlotWhoseHostsDieAtTheirStartIsACrashLoopBesideOneThatLives) {
  options.supervisor.host_count = 2;
  boot();
  world.advance(5'000);
  for (int i = 0; i < 4; ++i) {
    host(0).die();
    settle();
    world.advance(400);
  }
  EXPECT_TRUE(report.has("in a row"));
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

// Its host has ended and is forgotten a little later: nothing else will tell that all are gone.
TEST_F(CoreTest, StopsWhenItsOnlyHostHasJustEnded) {
  options.supervisor.spare = false;
  boot();
  launcher.refuse = true;
  bool done = false;
  host().die();
  world.defer([&] { engine->stop([&] { done = true; }); });
  settle();
  EXPECT_EQ(launcher.hosts.size(), 1u);
  EXPECT_TRUE(done);
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
