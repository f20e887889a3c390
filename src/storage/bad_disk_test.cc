// An agent's database on a disk that is full, fails, or loses power, one story each; what holds in
// all of them is durability_test.cc's.
#include "storage/test_support.h"
#include "storage/testing/fault_disk.h"

namespace hearth::storage {
namespace {

constexpr char kPath[] = "state/do/worker-Agent/agent.sqlite";

class BadDisk : public DatabaseTest {
 protected:
  BadDisk() { open(); }
  ~BadDisk() override { database_.reset(); }
  void open() {
    database_ = std::make_unique<AgentDatabase>(kPath, AgentDatabase::BeforeOpen{}, disk_);
  }
  void cut_power(FaultDisk::Loss loss) {
    disk_.cut_power();
    database_.reset();
    disk_.boot(loss);
    open();
  }
  void sync() {
    Status status = database_->connection()->sync();
    ASSERT_TRUE(status) << status.error().message;
  }

  FaultDisk disk_{1};
};

TEST_F(BadDisk, AFullDiskRefusesWritesAndLosesNone) {
  put("kept", "before");
  commit();
  sync();
  disk_.plan(FaultDisk::Fault::kFull, 1);
  Status refused = database_->put("more", std::string(100'000, 'x'));
  if (refused) {
    const Result<AgentDatabase::Turn> turn = database_->commit_turn();
    ASSERT_FALSE(turn);
    refused = turn.error();
  }
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("full"));
  database_->abandon();
  EXPECT_EQ(keys(), "kept");
  disk_.make_room();
  put("after");
  commit();
  sync();
  cut_power(FaultDisk::Loss::kAll);
  EXPECT_EQ(keys(), "after kept");
}

TEST_F(BadDisk, ASyncThatFailedIsNotMadeGoodByTheNext) {
  put("a");
  commit();
  sync();
  put("b");
  commit();
  disk_.plan(FaultDisk::Fault::kFail, 1);
  EXPECT_FALSE(database_->connection()->sync());
  EXPECT_FALSE(database_->connection()->sync());
  // The agent is reset: what it opens then can be trusted again.
  database_->release()->close();
  EXPECT_EQ(keys(), "a b");
  put("c");
  commit();
  sync();
  cut_power(FaultDisk::Loss::kAll);
  EXPECT_EQ(keys(), "a b c");
}

TEST_F(BadDisk, AFileThatAPowerCutLeftWithoutItsHeaderIsNew) {
  disk_.overwrite(kPath, std::string(4096, '\0'));
  EXPECT_EQ(keys(), "");
  put("a");
  commit();
  sync();
  cut_power(FaultDisk::Loss::kAll);
  EXPECT_EQ(keys(), "a");
}

TEST_F(BadDisk, ALargerFileOfZerosIsRefusedAndLeftAsItIs) {
  const std::string zeros(40'960, '\0');
  disk_.overwrite(kPath, zeros);
  const Status status = database_->put("a", "b");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(status.error().message, ::testing::HasSubstr(kPath));
  EXPECT_EQ(disk_.content(kPath), zeros);
}

// The syncer's own threads, with the power cut at any moment: not the same twice, always true.
TEST(SyncerOnABadDisk, AcknowledgesOnlyWhatSurvives) {
  for (std::uint64_t round = 1; round <= 40; ++round) {
    constexpr std::uint64_t kAgents = 5;
    FaultDisk disk(round);
    std::vector<std::unique_ptr<AgentDatabase>> databases;
    const auto path = [](std::uint64_t key) {
      return "state/do/worker-Agent/" + std::to_string(key) + ".sqlite";
    };
    std::vector<std::uint64_t> acknowledged(kAgents, 0);
    {
      Syncer syncer([] {});
      for (std::uint64_t key = 0; key < kAgents; ++key) {
        databases.push_back(std::make_unique<AgentDatabase>(
            path(key), [&](const std::string& file) { syncer.wait_closed(file); }, disk));
      }
      disk.plan(FaultDisk::Fault::kPowerCut, 20 + round * 13);
      for (std::uint64_t turn = 1; !disk.power_is_off(); ++turn) {
        for (std::uint64_t key = 0; key < kAgents; ++key) {
          AgentDatabase& database = *databases[key];
          const std::string number = std::to_string(turn);
          if (!database.put("left", number) || !database.put("right", number)) continue;
          if (!database.commit_turn()) continue;
          syncer.request(database.connection(), key, turn);
          if ((turn + key) % 7 == 0) syncer.checkpoint(database.connection());
          if ((turn + key) % 11 == 0) {
            syncer.kick();
            syncer.close(database.release());
          }
        }
        syncer.kick();
        if (turn % 3 == 0) syncer.wait_idle();
        for (const Syncer::Finished& each : syncer.take_finished()) {
          if (each.status) acknowledged[each.key] = each.sequence;
        }
      }
      syncer.wait_idle();
      for (const Syncer::Finished& each : syncer.take_finished()) {
        if (each.status) acknowledged[each.key] = each.sequence;
      }
      databases.clear();
    }
    disk.boot(round % 2 == 0 ? FaultDisk::Loss::kAll : FaultDisk::Loss::kSome);
    for (std::uint64_t key = 0; key < kAgents; ++key) {
      AgentDatabase database(path(key), {}, disk);
      std::string left = "0";
      std::string right = "0";
      ASSERT_TRUE(database.get("left", [&](std::string_view bytes) { left = bytes; }).ok());
      ASSERT_TRUE(database.get("right", [&](std::string_view bytes) { right = bytes; }).ok());
      EXPECT_EQ(left, right) << "round " << round;
      EXPECT_GE(std::stoull(left), acknowledged[key]) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace hearth::storage
