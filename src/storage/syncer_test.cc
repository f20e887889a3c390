#include "storage/syncer.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <set>

#include "storage/test_support.h"

namespace hearth::storage {
namespace {

class Durability : public DatabaseTest {
 protected:
  std::atomic<int> wakes_ = 0;
  Syncer syncer_{[this] { ++wakes_; }};
};

TEST_F(Durability, CommitsAreReportedByTheirSequence) {
  put("a");
  commit();
  syncer_.request(database_->connection(), 7, 1);
  syncer_.kick();
  syncer_.wait_idle();
  const std::vector<Syncer::Finished> finished = syncer_.take_finished();
  ASSERT_EQ(finished.size(), 1u);
  EXPECT_EQ(finished[0].key, 7u);
  EXPECT_EQ(finished[0].sequence, 1u);
  EXPECT_TRUE(finished[0].status) << finished[0].status.error().message;
  EXPECT_EQ(wakes_, 1);
}

TEST_F(Durability, SeveralCommitsOfOneDatabaseShareOneSync) {
  AgentDatabase other(folder_.file("do/other.sqlite"));
  for (std::uint64_t sequence = 1; sequence <= 100; ++sequence) {
    put("a", std::to_string(sequence));
    commit();
    syncer_.request(database_->connection(), 1, sequence);
  }
  ASSERT_TRUE(other.put("b", "c"));
  ASSERT_TRUE(other.commit_turn());
  syncer_.request(other.connection(), 2, 9);
  syncer_.kick();
  syncer_.wait_idle();
  const std::vector<Syncer::Finished> finished = syncer_.take_finished();
  ASSERT_EQ(finished.size(), 2u);
  for (const Syncer::Finished& each : finished) EXPECT_EQ(each.sequence, each.key == 1 ? 100u : 9u);
}

TEST_F(Durability, ManyDatabasesAreSyncedSideBySide) {
  std::vector<std::unique_ptr<AgentDatabase>> databases;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    for (std::uint64_t key = 0; key < 40; ++key) {
      if (round == 1) {
        databases.push_back(std::make_unique<AgentDatabase>(
            folder_.file("many/" + std::to_string(key) + ".sqlite")));
      }
      ASSERT_TRUE(databases[key]->put("round", std::to_string(round)));
      ASSERT_TRUE(databases[key]->commit_turn());
      syncer_.request(databases[key]->connection(), key, round);
    }
    syncer_.wait_idle();
    std::set<std::uint64_t> keys;
    for (const Syncer::Finished& each : syncer_.take_finished()) {
      EXPECT_TRUE(each.status) << each.status.error().message;
      EXPECT_EQ(each.sequence, round);
      keys.insert(each.key);
    }
    EXPECT_EQ(keys.size(), databases.size());
  }
  for (auto& database : databases) syncer_.close(database->release());
  syncer_.wait_idle();
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "many")) {
    EXPECT_EQ(entry.path().extension(), ".sqlite") << entry.path();
  }
}

TEST_F(Durability, AFailedSyncIsReportedWithItsReason) {
  put("a");
  commit();
  std::filesystem::remove(path_ + "-wal");
  syncer_.request(database_->connection(), 1, 1);
  syncer_.kick();
  syncer_.wait_idle();
  const std::vector<Syncer::Finished> finished = syncer_.take_finished();
  ASSERT_EQ(finished.size(), 1u);
  ASSERT_FALSE(finished[0].status);
  EXPECT_EQ(finished[0].status.error().code, ErrorCode::kIo);
  EXPECT_THAT(finished[0].status.error().message, ::testing::HasSubstr("agent.sqlite-wal"));
}

TEST_F(Durability, ClosingLeavesNoLogAndEverythingInTheFile) {
  put("a", "value");
  commit();
  put("lost");
  EXPECT_TRUE(std::filesystem::exists(path_ + "-wal"));
  syncer_.close(database_->release());
  syncer_.wait_closed(path_);
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "-shm"));
  EXPECT_EQ(keys(), "a");
  EXPECT_EQ(value("a"), "value");
}

TEST_F(Durability, AFileCanBeOpenedAgainAtOnceAfterItWasHandedOver) {
  database_ = std::make_unique<AgentDatabase>(
      path_, [this](const std::string& path) { syncer_.wait_closed(path); });
  for (int i = 0; i < 20; ++i) {
    put("a", std::to_string(i));
    commit();
    syncer_.close(database_->release());
    ASSERT_EQ(value("a"), std::to_string(i));
  }
}

TEST_F(Durability, ACheckpointEmptiesTheLogWhileTheDatabaseIsInUse) {
  for (int i = 0; i < 200; ++i) {
    put("key" + std::to_string(i), std::string(5'000, 'x'));
    commit();
    if (i % 50 == 10) syncer_.checkpoint(database_->connection());
  }
  syncer_.checkpoint(database_->connection());
  syncer_.wait_idle();
  EXPECT_EQ(database_->connection()->log_pages(), 0);
  put("after");
  commit();
  reopen();
  EXPECT_EQ(value("after"), "v");
  EXPECT_EQ(value("key199"), std::string(5'000, 'x'));
}

TEST_F(Durability, ACheckpointWaitsForAnOpenCursorOrTurn) {
  sql("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)");
  commit();
  Result<AgentDatabase::Execution> execution = database_->exec("SELECT x FROM t", {});
  syncer_.checkpoint(database_->connection());
  syncer_.wait_idle();
  EXPECT_GT(database_->connection()->log_pages(), 0);
  EXPECT_EQ(*execution->cursor->step(), Step::kRow);
  execution->cursor->finish();
  syncer_.checkpoint(database_->connection());
  syncer_.wait_idle();
  EXPECT_EQ(database_->connection()->log_pages(), 0);
}

// Writes two keys as one turn, over and over, saying each number once it is durable, until killed.
[[noreturn]] void write_until_killed(const std::string& path, int say, int first) {
  Syncer syncer([] {});
  AgentDatabase database(path);
  for (int i = first;; ++i) {
    const std::string number = std::to_string(i);
    if (!database.put("left", number) || !database.put("right", number)) _exit(1);
    if (!database.commit_turn()) _exit(2);
    syncer.request(database.connection(), 1, static_cast<std::uint64_t>(i));
    syncer.wait_idle();
    if (i % 37 == 0) syncer.checkpoint(database.connection());
    const std::string line = number + "\n";
    if (::write(say, line.data(), line.size()) < 0) _exit(3);
  }
}

class Kill : public DatabaseTest {};

TEST_F(Kill, LosesNothingThatWasDurableAndTearsNoTurnApart) {
  int last = 0;
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      write_until_killed(path_, ends[1], last + 1);
    }
    ::close(ends[1]);
    std::string said;
    char buffer[4096];
    for (int lines = 0; lines < 60;) {
      const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
      ASSERT_GT(got, 0) << "the writer ended by itself";
      said.append(buffer, static_cast<std::size_t>(got));
      lines = static_cast<int>(std::count(said.begin(), said.end(), '\n'));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
      said.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(ends[0]);
    said.resize(said.rfind('\n'));
    const std::size_t start = said.rfind('\n') + 1;
    int acknowledged = 0;
    std::from_chars(said.data() + start, said.data() + said.size(), acknowledged);
    EXPECT_GT(acknowledged, last);

    reopen();
    EXPECT_EQ(value("left"), value("right"));
    last = std::stoi(value("left"));
    EXPECT_GE(last, acknowledged);
    EXPECT_LE(last, acknowledged + 1);
    database_.reset();
  }
}

}  // namespace
}  // namespace hearth::storage
