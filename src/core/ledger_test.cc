// The ledger: what is noted, how it gathers, and what the file keeps of it.
#include "core/ledger.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "core/ledger_file.h"
#include "core/ledger_writer.h"
#include "core/test_world.h"
#include "os/virtual_world.h"

namespace hearth::core {
namespace {

namespace fs = std::filesystem;

AgentId agent(std::uint8_t number) {
  AgentId id;
  id.bytes.fill(number);
  return id;
}

struct Kept final : LedgerSink {
  std::vector<std::unique_ptr<LedgerBatch>> batches;
  bool full = false;
  bool take(std::unique_ptr<LedgerBatch> batch) override {
    if (full) return false;
    batches.push_back(std::move(batch));
    return true;
  }
};

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hearth-ledger-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    state_ = name;
  }
  void TearDown() override { fs::remove_all(state_); }

  static std::unique_ptr<LedgerBatch> batch(int count, std::uint8_t number = 1,
                                            const std::string& text = "text") {
    auto made = std::make_unique<LedgerBatch>();
    made->unique_keys =
        std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"w-A"});
    made->texts = text;
    for (int i = 0; i < count; ++i) {
      made->entries.push_back({1'000 + i, i, agent(number), 7, 0,
                               static_cast<std::uint16_t>(text.size()), 1000, LedgerKind::kError});
    }
    return made;
  }

  fs::path state_;
};

TEST_F(LedgerTest, GathersNotesAndHandsThemOverByATimer) {
  os::VirtualWorld world;
  Kept kept;
  Ledger ledger(world, world, kept);
  ledger.note(agent(1), LedgerKind::kSlept, "before there are namespaces");
  EXPECT_EQ(ledger.noted(), 0U);
  ledger.set_namespaces({"w-A"});
  ledger.note(agent(1), LedgerKind::kWoke, "a call", {.host = 3, .number = 2});
  ledger.note(agent(2), LedgerKind::kSocketClosed, std::string(1'000, 'x'), {.code = 1001});
  EXPECT_TRUE(kept.batches.empty());
  world.advance(Ledger::kFlushMs);
  ASSERT_EQ(kept.batches.size(), 1U);
  const LedgerBatch& got = *kept.batches[0];
  ASSERT_EQ(got.entries.size(), 2U);
  EXPECT_EQ(got.text(got.entries[0]), "a call");
  EXPECT_EQ(got.entries[0].host, 3U);
  EXPECT_EQ(got.text(got.entries[1]).size(), Ledger::kTextBytesMax);
  EXPECT_EQ(got.entries[1].code, 1001);
  world.advance(10 * Ledger::kFlushMs);
  EXPECT_EQ(kept.batches.size(), 1U);
}

TEST_F(LedgerTest, IsBoundedInMemoryAndCountsWhatASlowSinkRefuses) {
  os::VirtualWorld world;
  Kept kept;
  Ledger ledger(world, world, kept);
  ledger.set_namespaces({"w-A"});
  for (std::size_t i = 0; i < Ledger::kEntriesMax + 1; ++i) {
    ledger.note(agent(1), LedgerKind::kSlept);
  }
  ASSERT_EQ(kept.batches.size(), 1U);
  EXPECT_EQ(kept.batches[0]->entries.size(), Ledger::kEntriesMax);
  kept.full = true;
  ledger.flush();
  EXPECT_EQ(ledger.lost(), 1U);
}

TEST_F(LedgerTest, KeepsTheLastEntriesOfEachAgent) {
  auto file = LedgerFile::open(state_);
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_TRUE((*file)->write(*batch(3, 2, "the other's")).ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE((*file)->write(*batch(100, 1)).ok());
  const auto of_one = (*file)->read("w-A", agent(1).hex(), 10'000);
  ASSERT_TRUE(of_one.ok());
  EXPECT_GE(of_one->size(), static_cast<std::size_t>(kLedgerOfAgentMax));
  EXPECT_LE(of_one->size(), static_cast<std::size_t>(kLedgerOfAgentMax + kLedgerSlack + 100));
  EXPECT_EQ(of_one->back().number, 99);
  const auto of_other = (*file)->read("w-A", agent(2).hex(), 2);
  ASSERT_TRUE(of_other.ok());
  ASSERT_EQ(of_other->size(), 2U);
  EXPECT_EQ(of_other->back().text, "the other's");
  EXPECT_EQ(of_other->front().number, 1);
  EXPECT_EQ((*file)->read("w-A", agent(3).hex(), 2)->size(), 0U);
  EXPECT_FALSE((*file)->last("w-A", agent(1).hex(), LedgerKind::kWoke).has_value());
  EXPECT_EQ((*file)->last("w-A", agent(1).hex(), LedgerKind::kError)->number, 99);
}

TEST_F(LedgerTest, IsBoundedInAll) {
  auto file = LedgerFile::open(state_);
  ASSERT_TRUE(file.ok());
  AgentId id;
  for (int i = 0; i < 26; ++i) {
    auto many = batch(10'000, 1, "");
    for (std::size_t n = 0; n < many->entries.size(); ++n) {
      const std::uint64_t number = static_cast<std::uint64_t>(i) * 10'000 + n;
      std::memcpy(id.bytes.data(), &number, sizeof number);
      many->entries[n].agent = id;
    }
    ASSERT_TRUE((*file)->write(*many).ok());
  }
  AgentId first;
  EXPECT_EQ((*file)->read("w-A", first.hex(), 10)->size(), 0U);
  EXPECT_EQ((*file)->read("w-A", id.hex(), 10)->size(), 1U);
}

TEST_F(LedgerTest, IsReadWhileItIsWrittenAndAfterwards) {
  EXPECT_EQ(LedgerFile::open_existing(state_).error().code, ErrorCode::kNotFound);
  {
    LedgerWriter writer(state_);
    EXPECT_TRUE(writer.take(batch(2)));
    while (writer.through() < writer.taken()) std::this_thread::yield();
    auto reader = LedgerFile::open_existing(state_);
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ((*reader)->read("w-A", agent(1).hex(), 10)->size(), 2U);
    EXPECT_TRUE(writer.take(batch(1)));
  }
  auto reader = LedgerFile::open_existing(state_);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->read("w-A", agent(1).hex(), 10)->size(), 3U);
}

TEST_F(LedgerTest, PutsADamagedFileAsideAndGoesOn) {
  std::ofstream(state_ / kLedgerName) << std::string(5'000, 'x');
  LedgerWriter writer(state_);
  EXPECT_TRUE(writer.take(batch(1)));
  while (writer.through() < writer.taken()) std::this_thread::yield();
  EXPECT_EQ(writer.take_fault(), "");
  EXPECT_TRUE(fs::exists(state_ / "ledger.sqlite.damaged"));
  EXPECT_EQ((*LedgerFile::open_existing(state_))->read("w-A", agent(1).hex(), 10)->size(), 1U);
}

TEST_F(LedgerTest, TellsAFaultOfTheDiskOnce) {
  LedgerWriter writer(state_ / "missing");
  EXPECT_TRUE(writer.take(batch(1)));
  EXPECT_TRUE(writer.take(batch(1)));
  while (writer.through() < writer.taken()) std::this_thread::yield();
  EXPECT_NE(writer.take_fault(), "");
  EXPECT_EQ(writer.take_fault(), "");
}

TEST(LedgerWords, NameCausesAndCodes) {
  EXPECT_EQ(describe({0, LedgerKind::kWoke, 2, 0, 3, "its alarm"}),
            "woke on host 2 for its alarm, version 3");
  EXPECT_EQ(describe({0, LedgerKind::kSocketClosed, 0, 1001, 255, "by the client"}),
            "socket ff closed with 1001 by the client");
  EXPECT_EQ(describe({0, LedgerKind::kQueued, 4, 0, 1, ""}),
            "1 event had not begun when host 4 ended, and waits for the next");
  EXPECT_EQ(describe({0, LedgerKind::kAlarmSet, 0, 0, 1'000, ""}),
            "set its alarm for 1970-01-01T00:00:01Z");
  for (int kind = 1; kind <= static_cast<int>(LedgerKind::kRefused); ++kind) {
    EXPECT_NE(name_of(static_cast<LedgerKind>(kind)), "unknown") << kind;
    EXPECT_FALSE(describe({0, static_cast<LedgerKind>(kind), 1, 1, 1, "text"}).empty());
  }
}

}  // namespace
}  // namespace hearth::core
