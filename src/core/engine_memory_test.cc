// Limits of a host's memory: replaced near it, ended past it.
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::FakeHost;

constexpr std::uint64_t kMegabyte = 1 << 20;

class Memory : public testing::CoreTest {
 protected:
  void SetUp() override {
    options.host_memory_bytes = 400 * kMegabyte;
    boot();
  }
};

TEST_F(Memory, AHostThatIsNearItsLimitIsReplacedBetweenEventsAndItsSocketsStay) {
  FakeHost& first = host();
  const auto socket = open_socket(first, "a", make_connection_id(0, 1, 1));
  first.resident_bytes = 320 * kMegabyte;
  world.advance(5'000);
  EXPECT_EQ(first.count("Drain"), 0u) << "it is new, and another would be as large";
  world.advance(6'000);
  ASSERT_EQ(first.count("Drain"), 1u);
  message(socket, "waits");
  settle();
  first.drained();
  settle();
  ASSERT_NE(&host(), &first);
  EXPECT_EQ(host().take("SocketMessage").at(0).text, "waits");
  EXPECT_FALSE(network.sockets[socket.value].close_code);
  EXPECT_TRUE(report.has("makes room for another between events: it held 320 MB of memory, near"));
  EXPECT_FALSE(report.has("died"));
  // The next one is small and stays; there is a spare again.
  world.advance(60'000);
  EXPECT_EQ(host().count("Drain"), 0u);
  EXPECT_EQ(launcher.hosts.size(), 3u);
}

class PatientMemory : public Memory {
 protected:
  void SetUp() override {
    options.supervisor.patience_ms = 10'000;
    Memory::SetUp();
  }
};

TEST_F(PatientMemory, EachReplacementIsPatientAnew) {
  for (int i = 0; i < 3; ++i) {
    world.advance(30'000);  // not new any more
    FakeHost& last = host();
    open_socket(last, "a" + std::to_string(i),
                make_connection_id(0, static_cast<std::uint16_t>(1 + i), 1));
    last.resident_bytes = 320 * kMegabyte;
    for (int waited = 0; waited < 6'000; waited += 100) {
      world.advance(100);
      for (std::size_t asked = last.take("AgentMove").size(); asked > 0; --asked) {
        last.send(wire::AgentStays{agent("a" + std::to_string(i))});
      }
      settle();
    }
    EXPECT_EQ(last.count("Drain") + last.count("DrainIfQuiet"), 0u) << i;
    ASSERT_NE(&host(), &last);
    world.advance(600);
    ASSERT_EQ(last.count("AgentMove"), 1u) << i;
    last.send(wire::AgentMoved{agent("a" + std::to_string(i))});
    settle();
    world.advance(1'000);
    ASSERT_EQ(last.count("DrainIfQuiet"), 1u) << i;
    last.drained();
    settle();
  }
}

TEST_F(Memory, AHostThatPassesItsLimitIsEndedAndSaysWhy) {
  FakeHost& first = host();
  const auto socket = open_socket(first, "a", make_connection_id(0, 1, 1));
  message(socket, "allocate");
  settle();
  first.begin(first.take("SocketMessage").at(0).slot);
  first.resident_bytes = 401 * kMegabyte;
  world.advance(300);
  EXPECT_TRUE(first.killed);
  EXPECT_TRUE(report.has("it held 401 MB of memory, and 400 MB is what --host-memory allows"));
  EXPECT_TRUE(report.has("Room/a was at work"));
  ASSERT_NE(&host(), &first);
  EXPECT_FALSE(network.sockets[socket.value].close_code);
}

}  // namespace
}  // namespace hearth::core
