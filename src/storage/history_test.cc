// The history of a database, part by part: patches of pages, the file, points in time, what bounds
// it, and what it does with a database that is not what it says.
#include "storage/history.h"

#include <algorithm>
#include <random>
#include <set>

#include "storage/page_patch.h"
#include "storage/test_support.h"
#include "storage/testing/fault_disk.h"

namespace hearth::storage {
namespace {

using ::testing::HasSubstr;

std::string random_page(std::mt19937& random, std::size_t size) {
  std::string page(size, '\0');
  for (char& c : page) c = static_cast<char>(random() % 3 == 0 ? 0 : random());
  return page;
}

TEST(PagePatch, MakesAnyPageOfAnyOther) {
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    const std::size_t size = std::size_t{512} << (random() % 4);
    std::string older = random_page(random, size);
    std::string newer = random() % 2 == 0 ? random_page(random, size) : older;
    for (auto i = random() % 20; i > 0; --i) newer[random() % size] ^= 0x55;
    if (random() % 10 == 0) older.assign(size, '\0');
    const std::string patch = make_patch(older, newer);
    EXPECT_EQ(patch.empty(), older == newer);
    ASSERT_TRUE(apply_patch(patch, newer));
    ASSERT_EQ(newer, older);
  }
}

TEST(PagePatch, IsSmallWhereLittleChanged) {
  std::mt19937 random(7);
  const std::string older = random_page(random, 4096);
  std::string newer = older;
  newer[100] ^= 1;
  newer[4000] ^= 1;
  EXPECT_LT(make_patch(older, newer).size(), 10U);
  EXPECT_LT(make_patch(std::string(4096, '\0'), newer).size(), 10U);  // a page that is new
}

TEST(PagePatch, RefusesWhatDoesNotFit) {
  std::mt19937 random(11);
  for (int round = 0; round < 5'000; ++round) {
    std::string page(512, 'x');
    (void)apply_patch(random_page(random, random() % 40), page);
    ASSERT_EQ(page.size(), 512U);
  }
}

constexpr char kPath[] = "state/do/worker-Agent/0123456789abcdef0123.sqlite";

class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() { open(); }
  ~HistoryTest() override { database_.reset(); }

  void open() {
    database_ =
        std::make_unique<AgentDatabase>(kPath, AgentDatabase::BeforeOpen{}, disk_, options_);
  }
  void close() {
    if (auto connection = database_->release()) connection->close();
    open();
  }
  Connection& connection() { return *database_->connection(); }
  void write(const std::string& value) {
    ASSERT_TRUE(database_->put("key", value));
    ASSERT_TRUE(database_->commit_turn());
  }
  std::string value() {
    std::string found = "(none)";
    const Result<bool> got = database_->get("key", [&](std::string_view bytes) { found = bytes; });
    return got ? found : "! " + got.error().message;
  }
  std::string text(const Result<std::string>& result) {
    return result ? *result : "! " + result.error().message;
  }
  std::string bookmark() { return text(connection().bookmark(connection().want())); }
  std::string bookmark_at(std::int64_t ms) { return text(connection().bookmark_at(ms)); }
  std::string go_back(const std::string& bookmark) {
    const std::string undo = text(connection().restore_next(bookmark));
    close();
    return undo;
  }

  FaultDisk disk_{1};
  HistoryOptions options_{.keep_ms = 1'000'000, .bytes_least = 1'000'000, .grid_ms = 1'000};
  std::unique_ptr<AgentDatabase> database_;
};

TEST_F(HistoryTest, BookmarksAreInTheOrderOfTime) {
  std::vector<std::string> bookmarks;
  for (int i = 0; i < 40; ++i) {
    write(std::to_string(i));
    bookmarks.push_back(bookmark());
    if (i % 7 == 3) connection().checkpoint();
    if (i % 11 == 5) close();
  }
  EXPECT_TRUE(std::is_sorted(bookmarks.begin(), bookmarks.end()));
  EXPECT_EQ(std::set<std::string>(bookmarks.begin(), bookmarks.end()).size(), bookmarks.size());
  // Every one of them is a state to come back to, from any other.
  for (const int i : {30, 3, 39, 0, 17, 38}) {
    value();
    const std::string undo = go_back(bookmarks[static_cast<std::size_t>(i)]);
    EXPECT_EQ(value(), std::to_string(i));
    EXPECT_GT(undo, bookmarks.back());
    EXPECT_GT(bookmark(), undo);
  }
}

TEST_F(HistoryTest, ABookmarkIsOfItsTurnAndOfNoLaterOne) {
  write("one");
  const auto wanted = connection().want();
  write("two");
  connection().checkpoint();
  write("three");
  const std::string one = text(connection().bookmark(wanted));
  EXPECT_EQ(value(), "three");
  go_back(one);
  EXPECT_EQ(value(), "one");
}

TEST_F(HistoryTest, ABookmarkOfWhatACrashLeftIsThatState) {
  write("one");
  ASSERT_TRUE(connection().sync());
  database_.reset();  // as the death of the process
  open();
  EXPECT_EQ(value(), "one");
  const auto wanted = connection().want();
  write("two");
  const std::string one = text(connection().bookmark(wanted));
  go_back(one);
  EXPECT_EQ(value(), "one");
}

TEST_F(HistoryTest, KnowsTimesAsFinelyAsItsGrid) {
  const std::int64_t start = disk_.now_ms();
  for (int i = 0; i < 100; ++i) {
    write(std::to_string(i));
    if (connection().archive_due()) connection().archive();
    if (i == 40 || i == 41) close();
    if (i == 60) {
      value();
      connection().checkpoint();
    }
    disk_.pass_time(100);
  }
  value();
  for (const int at : {0, 12, 44, 61, 75, 99}) {
    const std::string found = bookmark_at(start + at * 100 + 50);
    const std::string undo = go_back(found);
    const int seen = value() == "(none)" ? -10 : std::stoi(value());
    EXPECT_LE(seen, at);
    EXPECT_GT(seen, at - 21) << at;
    go_back(undo);
    EXPECT_EQ(value(), "99");
  }
  EXPECT_EQ(go_back(bookmark_at(start - 1)).substr(0, 2), "00");
  EXPECT_EQ(value(), "(none)");
}

TEST_F(HistoryTest, KeepsWhatWasBetweenRareWrites) {
  write("one");
  disk_.pass_time(60'000);
  const std::int64_t between = disk_.now_ms();
  disk_.pass_time(60'000);
  write("two");
  write("three");
  go_back(bookmark_at(between));
  EXPECT_EQ(value(), "one");
}

TEST_F(HistoryTest, IsBoundedAndSaysHowFarItGoes) {
  options_.bytes_least = 40'000;
  open();
  write("first");
  const std::string first = bookmark();
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    write(random_page(random, 2'000));
    disk_.pass_time(5'000);
    if (i % 5 == 0) close();
    value();
    EXPECT_LT(disk_.content(std::string(kPath) + "-history").size() +
                  disk_.content(std::string(kPath) + "-history-old").size(),
              120'000U);
  }
  write("last");
  const std::string refused = text(connection().restore_next(first));
  EXPECT_THAT(refused, HasSubstr("is not kept any more; the history that is kept of this object "
                                 "goes back to 20"));
  EXPECT_THAT(bookmark_at(1'000), HasSubstr("there is no bookmark for 1970-01-01T00:00:01Z"));
  // What is within it is there, also in the older file.
  go_back(bookmark_at(disk_.now_ms() - 10'000));
  EXPECT_NE(value(), "last");
}

TEST_F(HistoryTest, DropsWhatIsOlderThanItKeeps) {
  write("old");
  const std::string old = bookmark();
  for (int i = 0; i < 4; ++i) {
    disk_.pass_time(options_.keep_ms * 3 / 4);
    write(std::to_string(i));
    close();
    value();
  }
  EXPECT_THAT(text(connection().restore_next(old)), HasSubstr("not kept any more"));
}

TEST_F(HistoryTest, BeginsAnewWithADamagedFile) {
  write("one");
  const std::string one = bookmark();
  close();
  std::string content = disk_.content(std::string(kPath) + "-history");
  content[content.size() / 2] ^= 0x10;
  disk_.overwrite(std::string(kPath) + "-history", content);
  write("two");
  const std::string two = bookmark();
  EXPECT_THAT(text(connection().restore_next(one)), HasSubstr("begun anew"));
  write("three");
  go_back(two);
  EXPECT_EQ(value(), "two");
}

TEST_F(HistoryTest, RefusesADatabaseThatSomethingElseWroteTo) {
  write("one");
  const std::string one = bookmark();
  write("two");
  close();
  std::string content = disk_.content(kPath);
  content.back() ^= 1;
  disk_.overwrite(kPath, content);
  value();
  go_back(one);
  EXPECT_THAT(value(), HasSubstr("something else than hearth wrote to it"));
  ASSERT_TRUE(disk_.remove(History::order_path_of(kPath)));
  ASSERT_TRUE(History::remove(kPath, disk_));
  EXPECT_EQ(value(), "twn");
  write("three");
  const std::string three = bookmark();
  write("four");
  go_back(three);
  EXPECT_EQ(value(), "three");
}

TEST_F(HistoryTest, AFullDiskKeepsTheLogAndLosesNothing) {
  write("one");
  const std::string one = bookmark();
  write("two");
  disk_.plan(FaultDisk::Fault::kFull, 1);
  connection().checkpoint();
  disk_.make_room();
  write("three");
  EXPECT_EQ(value(), "three");
  go_back(one);
  EXPECT_EQ(value(), "one");
}

TEST_F(HistoryTest, CostsACommitNoCallOfTheDisk) {
  write("one");
  ASSERT_TRUE(connection().sync());
  disk_.pass_time(50'000);
  write("two");
  const std::uint64_t with = disk_.calls();
  write("three");
  const std::uint64_t cost = disk_.calls() - with;
  options_.keep_ms = 0;
  close();
  write("four");
  const std::uint64_t without = disk_.calls();
  write("five");
  EXPECT_EQ(cost, disk_.calls() - without);
}

}  // namespace
}  // namespace hearth::storage
