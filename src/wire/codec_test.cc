#include "wire/codec.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "wire/progress_page.h"

namespace hearth::wire {
namespace {

// Keeps the last message of each type that a test looks at; every other type is only counted.
struct ToHost {
  int count = 0;
  SocketMessage socket_message;
  AgentSocket agent_socket;
  Alarm alarm;
  void on(const SocketMessage& message) { ++count, socket_message = message; }
  void on(const AgentSocket& message) { ++count, agent_socket = message; }
  void on(const Alarm& message) { ++count, alarm = message; }
  template <typename Message>
  void on(const Message&) {
    ++count;
  }
};

struct ToCore {
  int count = 0;
  SendMany send_many;
  void on(const SendMany& message) { ++count, send_many = message; }
  template <typename Message>
  void on(const Message&) {
    ++count;
  }
};

std::string_view frame_of(const std::string& out) {
  return std::string_view(out).substr(4);
}

// One frame of each message, its fields left at zero or empty.
std::vector<std::string> one_of_each(Direction direction) {
  std::vector<std::string> frames;
#define MESSAGE(name, number, direction_)   \
  if (Direction::direction_ == direction) { \
    frames.emplace_back();                  \
    append(frames.back(), name{});          \
  }
#define FIELD(type, name)
#define END(name)
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END
  return frames;
}

TEST(Codec, EveryMessageIsReadBackOnItsOwnSideAndRefusedOnTheOther) {
  for (const std::string& frame : one_of_each(Direction::kToHost)) {
    ToHost host;
    ToCore core;
    EXPECT_TRUE(dispatch<Direction::kToHost>(frame_of(frame), host).ok());
    EXPECT_EQ(host.count, 1);
    EXPECT_FALSE(dispatch<Direction::kToCore>(frame_of(frame), core).ok());
    EXPECT_EQ(core.count, 0);
  }
  for (const std::string& frame : one_of_each(Direction::kToCore)) {
    ToHost host;
    ToCore core;
    EXPECT_TRUE(dispatch<Direction::kToCore>(frame_of(frame), core).ok());
    EXPECT_EQ(core.count, 1);
    EXPECT_FALSE(dispatch<Direction::kToHost>(frame_of(frame), host).ok());
  }
}

TEST(Codec, FieldsComeBackAsTheyWere) {
  AgentId agent{7, {}};
  for (std::size_t i = 0; i < agent.bytes.size(); ++i)
    agent.bytes[i] = static_cast<std::uint8_t>(i);
  const ConnectionId connection = make_connection_id(3, 0x1fff, 0xfffffffe);
  std::string out;
  append(out, AgentSocket{agent, connection, "http://h/a", "chat", std::string_view("a\0b\0", 4),
                          std::string_view("\0\xff", 2), -5});
  ToHost host;
  ASSERT_TRUE(dispatch<Direction::kToHost>(frame_of(out), host).ok());
  EXPECT_EQ(host.agent_socket.agent, agent);
  EXPECT_EQ(host.agent_socket.connection, connection);
  EXPECT_EQ(host.agent_socket.url, "http://h/a");
  EXPECT_EQ(host.agent_socket.protocol, "chat");
  EXPECT_EQ(host.agent_socket.attachment, std::string_view("\0\xff", 2));
  EXPECT_EQ(host.agent_socket.auto_response_ms, -5);
  std::vector<std::string> tags;
  for_each_entry(host.agent_socket.tags, [&](std::string_view tag) { tags.emplace_back(tag); });
  EXPECT_EQ(tags, (std::vector<std::string>{"a", "b"}));
}

TEST(Codec, EventsCarryTheirSlotFirst) {
  // The core keeps an event's frame and writes another slot into it when it is handed on.
  std::string out;
  append(out, SocketMessage{0x01020304, ConnectionId{9}, 0, "x"});
  EXPECT_EQ(out.substr(kFrameHeaderBytes, 4), std::string("\x04\x03\x02\x01", 4));
}

TEST(Codec, RefusesFramesCutShortAndFramesWithBytesLeftOver) {
  for (const std::string& whole : one_of_each(Direction::kToHost)) {
    const std::string_view frame = frame_of(whole);
    for (std::size_t size = 0; size < frame.size(); ++size) {
      ToHost host;
      EXPECT_FALSE(dispatch<Direction::kToHost>(frame.substr(0, size), host).ok());
      EXPECT_EQ(host.count, 0);
    }
    ToHost host;
    EXPECT_FALSE(dispatch<Direction::kToHost>(std::string(frame) + "x", host).ok());
  }
  ToHost host;
  EXPECT_FALSE(dispatch<Direction::kToHost>("\x3f", host).ok());
}

TEST(Codec, RefusesAFieldLongerThanItsFrame) {
  std::string out;
  append(out, SocketMessage{1, ConnectionId{2}, 0, "hello"});
  out[4 + 1 + 4 + 8 + 1] = 6;  // the length of `data`
  ToHost host;
  EXPECT_FALSE(dispatch<Direction::kToHost>(frame_of(out), host).ok());
}

TEST(FrameReader, CutsTheSameFramesHoweverTheBytesArrive) {
  std::string stream;
  for (int i = 0; i < 20; ++i) {
    append(stream, SocketMessage{static_cast<std::uint32_t>(i), ConnectionId{1}, 0,
                                 std::string(static_cast<std::size_t>(i * 7), 'x')});
  }
  for (std::size_t chunk = 1; chunk <= stream.size(); chunk += chunk < 40 ? 1 : 97) {
    FrameReader reader;
    std::vector<std::uint32_t> slots;
    for (std::size_t at = 0; at < stream.size(); at += chunk) {
      const Status status =
          reader.feed(std::string_view(stream).substr(at, chunk), [&](std::string_view frame) {
            ToHost host;
            Status read = dispatch<Direction::kToHost>(frame, host);
            slots.push_back(host.socket_message.slot);
            return read;
          });
      ASSERT_TRUE(status.ok());
    }
    ASSERT_EQ(slots.size(), 20u) << "chunks of " << chunk;
    for (std::uint32_t i = 0; i < 20; ++i) EXPECT_EQ(slots[i], i);
    EXPECT_EQ(reader.pending_bytes(), 0u);
  }
}

TEST(FrameReader, RefusesALengthOverTheBound) {
  FrameReader reader;
  const std::uint32_t length = kWireFrameBytesMax + 1;
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  EXPECT_FALSE(reader.feed(bytes, [](std::string_view) { return Status{}; }).ok());
}

TEST(ProgressPage, IsOneByteForEachEvent) {
  EXPECT_EQ(offsetof(ProgressPage, state), 16u);
  EXPECT_EQ(offsetof(ProgressPage, running), 16 + kProgressSlots);
}

TEST(SendMany, ListsConnectionsAsEightBytesEach) {
  std::string ids;
  detail::put(ids, std::uint64_t{1});
  detail::put(ids, std::uint64_t{2});
  std::string out;
  append(out, SendMany{ids, 2, "data"});
  ToCore core;
  ASSERT_TRUE(dispatch<Direction::kToCore>(frame_of(out), core).ok());
  EXPECT_EQ(core.send_many.connections.size(), 16u);
  EXPECT_EQ(core.send_many.data, "data");
}

}  // namespace
}  // namespace hearth::wire
