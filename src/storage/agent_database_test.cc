#include "storage/agent_database.h"

#include <sqlite3.h>

#include <fstream>

#include "storage/test_support.h"

namespace hearth::storage {
namespace {

using ::testing::Test;

class KeyValue : public DatabaseTest {};
class Alarm : public DatabaseTest {};
class Transactions : public DatabaseTest {};
class Files : public DatabaseTest {};

TEST_F(KeyValue, ReadingFromAnAgentThatStoredNothingMakesNoFile) {
  EXPECT_EQ(value("a"), "(none)");
  EXPECT_EQ(keys(), "");
  EXPECT_EQ(*database_->remove("a"), false);
  EXPECT_FALSE(database_->alarm()->has_value());
  EXPECT_TRUE(database_->set_alarm(std::nullopt));
  EXPECT_TRUE(database_->delete_all(true));
  EXPECT_EQ(*database_->size_bytes(), 0);
  EXPECT_FALSE(database_->dirty());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeyValue, AValueIsReadBackAsItWasPut) {
  using namespace std::string_view_literals;
  put("text", "\x00\xff bytes"sv);
  put("empty", "");
  put("", "the empty key");
  put("nul\0key"sv, "x");
  EXPECT_EQ(value("text"), "\x00\xff bytes"sv);
  EXPECT_EQ(value("empty"), "");
  EXPECT_EQ(value(""), "the empty key");
  EXPECT_EQ(value("nul\0key"sv), "x");
  EXPECT_EQ(value("nul"), "(none)");
  put("text", "second");
  EXPECT_EQ(value("text"), "second");
}

TEST_F(KeyValue, DeletingSaysWhetherTheKeyWasThere) {
  put("a");
  EXPECT_EQ(*database_->remove("a"), true);
  EXPECT_EQ(*database_->remove("a"), false);
  EXPECT_EQ(value("a"), "(none)");
}

TEST_F(KeyValue, ListsAreInTheOrderOfUtf8Bytes) {
  // U+FFFF is before U+10000 in UTF-8 and after it in UTF-16.
  for (const char* key : {"b", "a", "B", "aa", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xc3\xa4"})
    put(key);
  EXPECT_EQ(keys(), "B a aa b \xc3\xa4 \xef\xbf\xbf \xf0\x90\x80\x80");
  EXPECT_EQ(keys({.reverse = true, .limit = 2}), "\xf0\x90\x80\x80 \xef\xbf\xbf");
}

TEST_F(KeyValue, ListsTakeEveryCombinationOfBounds) {
  for (const char* key : {"a", "b", "b1", "b2", "b\xff", "c", "d"}) put(key);
  EXPECT_EQ(keys({.start = "b1"}), "b1 b2 b\xff c d");
  EXPECT_EQ(keys({.start_after = "b1"}), "b2 b\xff c d");
  EXPECT_EQ(keys({.end = "b1"}), "a b");
  EXPECT_EQ(keys({.start = "b", .end = "c"}), "b b1 b2 b\xff");
  EXPECT_EQ(keys({.start = "c", .end = "b"}), "");
  EXPECT_EQ(keys({.prefix = "b"}), "b b1 b2 b\xff");
  EXPECT_EQ(keys({.prefix = ""}), "a b b1 b2 b\xff c d");
  EXPECT_EQ(keys({.start = "a", .prefix = "b"}), "b b1 b2 b\xff");
  EXPECT_EQ(keys({.start = "b2", .prefix = "b"}), "b2 b\xff");
  EXPECT_EQ(keys({.start_after = "b", .prefix = "b"}), "b1 b2 b\xff");
  EXPECT_EQ(keys({.end = "b2", .prefix = "b"}), "b b1");
  EXPECT_EQ(keys({.end = "z", .prefix = "b"}), "b b1 b2 b\xff");
  EXPECT_EQ(keys({.prefix = "b", .reverse = true, .limit = 2}), "b\xff b2");
  EXPECT_EQ(keys({.start = "b", .limit = 1}), "b");
  EXPECT_EQ(keys({.prefix = "x"}), "");
}

TEST_F(KeyValue, AValueOverTheLimitIsRefusedAndTheRestOfTheTurnStays) {
  put("small");
  const Status status = database_->put("large", std::string(9 * 1024 * 1024, 'x'));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "string or blob too big: SQLITE_TOOBIG");
  EXPECT_EQ(status.error().code, ErrorCode::kLimit);
  commit();
  EXPECT_EQ(keys(), "small");
}

TEST_F(KeyValue, DeleteAllTakesKeysAndTablesAndTheAlarmOnlyIfAsked) {
  put("key");
  ASSERT_TRUE(database_->set_alarm(5'000));
  sql("CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT)");
  sql("CREATE TABLE \"chi\"\"ld\" (parent REFERENCES parent(id))");
  sql("INSERT INTO parent VALUES (1); INSERT INTO \"chi\"\"ld\" VALUES (1)");
  sql("CREATE VIEW seen AS SELECT * FROM parent");
  sql("CREATE VIRTUAL TABLE words USING fts5(text)");
  sql("INSERT INTO words VALUES ('hello')");
  sql("ANALYZE");
  commit();
  ASSERT_TRUE(database_->delete_all(false));
  EXPECT_EQ(sql("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"),
            std::vector<std::string>{"_cf_METADATA"});
  EXPECT_EQ(*database_->alarm(), 5'000);
  EXPECT_EQ(keys(), "");
  put("again");
  commit();
  EXPECT_EQ(keys(), "again");
  // Foreign keys are enforced again.
  sql("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id))");
  EXPECT_EQ(first("INSERT INTO c VALUES (9)"),
            "! FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: "
            "SQLITE_CONSTRAINT_FOREIGNKEY)");
  ASSERT_TRUE(database_->delete_all(true));
  EXPECT_FALSE(database_->alarm()->has_value());
}

TEST_F(KeyValue, DeleteAllThatIsDroppedLeavesEverything) {
  put("key", "value");
  commit();
  ASSERT_TRUE(database_->delete_all(true));
  EXPECT_EQ(keys(), "");
  database_->abandon();
  EXPECT_EQ(value("key"), "value");
}

TEST_F(Alarm, IsReadBackInMillisecondsAndStoredInNanoseconds) {
  ASSERT_TRUE(database_->set_alarm(1'795'333'227'487));
  EXPECT_EQ(*database_->alarm(), 1'795'333'227'487);
  commit();
  reopen();
  EXPECT_EQ(*database_->alarm(), 1'795'333'227'487);
  ASSERT_TRUE(database_->set_alarm(7));
  EXPECT_EQ(*database_->alarm(), 7);
  ASSERT_TRUE(database_->set_alarm(std::nullopt));
  EXPECT_FALSE(database_->alarm()->has_value());
}

TEST_F(Transactions, WhatATurnWroteIsDroppedByAbandon) {
  put("kept");
  commit();
  put("lost");
  sql("CREATE TABLE lost (a)");
  database_->abandon();
  EXPECT_EQ(keys(), "kept");
  EXPECT_EQ(first("SELECT * FROM lost"), "! no such table: lost: SQLITE_ERROR");
}

TEST_F(Transactions, TheFirstTurnsTablesAreMadeAgainAfterItWasDropped) {
  put("lost");
  database_->abandon();
  EXPECT_EQ(keys(), "");
  put("kept");
  commit();
  EXPECT_EQ(keys(), "kept");
}

TEST_F(Transactions, NestByRollingBackTheInnermostAlone) {
  ASSERT_TRUE(database_->begin());
  put("outer");
  ASSERT_TRUE(database_->begin());
  put("inner");
  sql("CREATE TABLE inner_table (a)");
  ASSERT_TRUE(database_->rollback());
  EXPECT_EQ(keys(), "outer");
  ASSERT_TRUE(database_->begin());
  put("second");
  ASSERT_TRUE(database_->commit());
  ASSERT_TRUE(database_->commit());
  EXPECT_EQ(database_->depth(), 0);
  commit();
  reopen();
  EXPECT_EQ(keys(), "outer second");
}

TEST_F(Transactions, AnOpenOneKeepsTheTurnOpen) {
  ASSERT_TRUE(database_->begin());
  put("a");
  EXPECT_EQ(*database_->commit_turn(), AgentDatabase::Turn::kOpen);
  EXPECT_TRUE(database_->dirty());
  ASSERT_TRUE(database_->commit());
  EXPECT_EQ(*database_->commit_turn(), AgentDatabase::Turn::kCommitted);
  EXPECT_EQ(*database_->commit_turn(), AgentDatabase::Turn::kNothing);
}

TEST_F(Transactions, ATurnThatChangedNothingIsNoCommit) {
  sql("CREATE TABLE t (a)");
  commit();
  sql("UPDATE t SET a = 1");
  EXPECT_TRUE(database_->dirty());
  EXPECT_EQ(*database_->commit_turn(), AgentDatabase::Turn::kNothing);
}

TEST_F(Transactions, EndingOneThatIsNotOpenIsRefused) {
  EXPECT_FALSE(database_->commit());
  EXPECT_FALSE(database_->rollback());
}

TEST_F(Transactions, ATurnThatSqliteRolledBackIsReportedAndNothingOfItRemains) {
  sql("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)");
  commit();
  sql("INSERT INTO t VALUES (2)");
  EXPECT_THAT(first("INSERT OR ROLLBACK INTO t VALUES (1)"),
              ::testing::HasSubstr("UNIQUE constraint failed"));
  // Nothing may be written as a commit of its own after that.
  EXPECT_FALSE(database_->put("a", "b"));
  const Result<AgentDatabase::Turn> turn = database_->commit_turn();
  ASSERT_FALSE(turn);
  EXPECT_THAT(turn.error().message, ::testing::HasSubstr("rolled back by the database itself"));
  EXPECT_EQ(sql("SELECT a FROM t"), std::vector<std::string>{"1"});
  EXPECT_EQ(keys(), "");
}

TEST_F(Files, HaveTheTablesOfWorkerd) {
  put("z", "\xff\x0fI\x02");
  ASSERT_TRUE(database_->set_alarm(1'795'333'227'487));
  commit();
  database_.reset();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  std::string dump;
  const auto add = [](void* out, int count, char** values, char**) {
    for (int i = 0; i < count; ++i) {
      *static_cast<std::string*>(out) +=
          std::string(values[i] == nullptr ? "NULL" : values[i]) + "|";
    }
    return 0;
  };
  sqlite3_exec(raw, "SELECT name, sql FROM sqlite_schema ORDER BY name DESC", add, &dump, nullptr);
  sqlite3_exec(raw, "SELECT key, value, typeof(value) FROM _cf_METADATA", add, &dump, nullptr);
  sqlite3_exec(raw, "SELECT key, hex(value), typeof(value) FROM _cf_KV", add, &dump, nullptr);
  sqlite3_close(raw);
  EXPECT_EQ(dump,
            "_cf_METADATA|CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)|"
            "_cf_KV|CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID|"
            "1|1795333227487000000|integer|z|FF0F4902|blob|");
}

TEST_F(Files, ThatWorkerdWroteAreRead) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  // The schema as workerd prints it, in its own white space.
  ASSERT_EQ(sqlite3_exec(raw,
                         "PRAGMA journal_mode=WAL;"
                         "CREATE TABLE _cf_METADATA (\n        key INTEGER PRIMARY KEY,\n"
                         "        value BLOB\n      );"
                         "CREATE TABLE _cf_KV (\n        key TEXT PRIMARY KEY,\n"
                         "        value BLOB\n      ) WITHOUT ROWID;"
                         "INSERT INTO _cf_METADATA VALUES (1, 1795333227487000000);"
                         "INSERT INTO _cf_KV VALUES ('z', x'ff0f4902')",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(raw);
  EXPECT_EQ(value("z"), "\xff\x0fI\x02");
  EXPECT_EQ(*database_->alarm(), 1'795'333'227'487);
  put("z", "new");
  commit();
  EXPECT_EQ(value("z"), "new");
}

TEST_F(Files, ThatAreNoDatabaseAreRefusedAndLeftAsTheyAre) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  const std::string garbage(8192, 'g');
  std::ofstream(path_) << garbage;
  EXPECT_EQ(value("a"),
            "! the database " + path_ + " cannot be opened: file is not a database: SQLITE_NOTADB");
  const Status status = database_->put("a", "b");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  database_.reset();
  std::ifstream file(path_);
  const std::string after((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(after, garbage);
}

TEST_F(Files, OfTwoAgentsAreApart) {
  AgentDatabase other(folder_.file("do/worker-Agent/other.sqlite"));
  put("a", "one");
  ASSERT_TRUE(other.put("a", "two"));
  commit();
  other.abandon();
  EXPECT_EQ(value("a"), "one");
  EXPECT_EQ(*other.get("a", [](std::string_view) {}), false);
}

TEST_F(Files, AreHeldByOneOwnerAtATime) {
  put("a", "one");
  commit();
  AgentDatabase second(path_);
  const Result<bool> found = second.get("a", [](std::string_view) {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kConflict);
}

TEST_F(Files, SizeGrowsWithWhatIsStored) {
  put("a");
  const std::int64_t before = *database_->size_bytes();
  EXPECT_GT(before, 0);
  put("b", std::string(100'000, 'x'));
  EXPECT_GT(*database_->size_bytes(), before + 90'000);
}

}  // namespace
}  // namespace hearth::storage
