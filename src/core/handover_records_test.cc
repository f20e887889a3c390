#include "core/handover_records.h"

#include <gtest/gtest.h>

#include <random>

namespace hearth::core::handover {
namespace {

AgentId an_agent() {
  AgentId id{3, {}};
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(7 * i);
  return id;
}

SocketRecord a_socket() {
  SocketRecord record;
  record.open = true;
  record.id = make_connection_id(2, 77, 123456);
  record.agent = an_agent();
  record.url = "http://h/agents/a/b?c=d";
  record.protocol = "chat";
  record.tags = std::string("one\0two\0", 8);
  record.attachment = std::string("\0\1\2", 3);
  record.auto_response_ms = 1'700'000'000'123;
  record.messages = 1'234;
  record.state.web_socket = true;
  record.state.input = "not yet taken";
  record.state.output = {"rest of a frame", std::string(70'000, 'x'), "last"};
  record.state.output_started = true;
  record.state.window_bits = 15;
  record.state.silent_ms = 29'999;
  record.state.pong_owed = true;
  record.state.pong = "owed";
  record.state.decoder.message = "first fragm";
  record.state.decoder.remaining = 1ull << 40;
  record.state.decoder.mask = 0xdeadbeef;
  record.state.decoder.utf8 = 0x01bf8002;
  record.state.decoder.phase = 3;
  record.state.decoder.message_opcode = 1;
  record.state.decoder.in_payload = true;
  return record;
}

TEST(HandoverRecords, ComeBackAsTheyWere) {
  const SocketRecord sent = a_socket();
  const auto read = decode<SocketRecord>(encode(sent));
  ASSERT_TRUE(read);
  EXPECT_EQ(encode(*read), encode(sent)) << "every field that is written is read";
  EXPECT_EQ(read->id, sent.id);
  EXPECT_EQ(read->agent, sent.agent);
  EXPECT_EQ(read->tags, sent.tags);
  EXPECT_EQ(read->attachment, sent.attachment);
  EXPECT_EQ(read->auto_response_ms, sent.auto_response_ms);
  EXPECT_EQ(read->messages, sent.messages);
  EXPECT_EQ(read->state.output, sent.state.output);
  EXPECT_EQ(read->state.decoder.remaining, sent.state.decoder.remaining);
  EXPECT_EQ(read->state.decoder.utf8, sent.state.decoder.utf8);
  EXPECT_TRUE(read->state.decoder.in_payload);
  EXPECT_FALSE(read->state.decoder.final);
}

TEST(HandoverRecords, KeepValuesThatAreNotTheDefault) {
  SocketRecord never;
  EXPECT_EQ(decode<SocketRecord>(encode(never))->auto_response_ms, -1);
  never.auto_response_ms = 0;
  EXPECT_EQ(decode<SocketRecord>(encode(never))->auto_response_ms, 0);
  Offer offer;
  offer.format = 0;
  EXPECT_EQ(decode<Offer>(encode(offer))->format, 0u);
}

// A record of a later program: a field that is not known here is passed over; one of an earlier
// program lacks some, which keep their defaults.
TEST(HandoverRecords, AreReadAcrossVersions) {
  std::string later = encode(AgentRecord{an_agent(), "name", false, {}, {}});
  later += std::string("\xc8\x03\x00\x00\x00new", 8);
  const auto read = decode<AgentRecord>(later);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->name, "name");

  const auto earlier = decode<SocketRecord>(std::string(1, static_cast<char>(RecordType::kSocket)));
  ASSERT_TRUE(earlier);
  EXPECT_EQ(earlier->auto_response_ms, -1);
  EXPECT_FALSE(earlier->open);
}

TEST(HandoverRecords, ThatAreMalformedAreRefused) {
  const std::string whole = encode(AgentRecord{an_agent(), "name", true, "ping", "pong"});
  EXPECT_TRUE(decode<AgentRecord>(whole));
  EXPECT_FALSE(decode<SocketRecord>(whole)) << "of another type";
  EXPECT_FALSE(decode<AgentRecord>(""));
  std::size_t accepted = 0;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    accepted += decode<AgentRecord>(whole.substr(0, size)).ok() ? 1 : 0;
  }
  EXPECT_EQ(accepted, 6u) << "cut between two of its fields only";
  std::string wide(1, static_cast<char>(RecordType::kEnd));
  wide += std::string("\x01\x09\x00\x00\x00", 5) + std::string(9, '\1');
  EXPECT_FALSE(decode<End>(wide)) << "a number of nine bytes";
}

// Whatever bytes come: they are refused or read, and what was read is written the same again.
TEST(HandoverRecords, OfAnyBytesAreReadOrRefused) {
  std::mt19937 random(7);
  const std::string seeds[] = {encode(a_socket()), encode(Core{9, 5}),
                               encode(EventRecord{1, {5}, 2, "data", 1000, true, 7, 2, 9})};
  std::size_t read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = seeds[static_cast<std::size_t>(round) % 3].substr(0, 400);
    for (unsigned change = random() % 4; change > 0; --change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(random() % 8 == 0 ? random() % bytes.size() : bytes.size());
    const auto same = [&](const auto& record) {
      if (!record) return;
      ++read;
      const std::string again = encode(*record);
      EXPECT_EQ(encode(*decode<std::decay_t<decltype(*record)>>(again)), again);
    };
    same(decode<SocketRecord>(bytes));
    same(decode<Core>(bytes));
    same(decode<EventRecord>(bytes));
  }
  EXPECT_GT(read, 1'000u);
}

}  // namespace
}  // namespace hearth::core::handover
