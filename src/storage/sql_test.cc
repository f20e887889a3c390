// What SQL may do and how its failures read: each expectation was printed by workerd, but for the
// few that say otherwise.
#include <gmock/gmock.h>

#include "storage/test_support.h"

namespace hearth::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Sql : public DatabaseTest {};
class SqlRules : public DatabaseTest {};
class SqlLimits : public DatabaseTest {};
class Cursors : public DatabaseTest {};

std::string times(int count, std::string_view text, std::string_view between = "") {
  std::string result;
  for (int i = 0; i < count; ++i) {
    if (i > 0) result += between;
    result += text;
  }
  return result;
}

TEST_F(Sql, ValuesComeBackAsTheyWereBound) {
  EXPECT_THAT(sql("SELECT typeof(?), typeof(?), typeof(?), typeof(?)",
                  {std::monostate(), 5.0, std::string_view("text"), Blob{"bytes"}}),
              ElementsAre("null|real|text|blob"));
  sql("CREATE TABLE t (i INTEGER, any)");
  sql("INSERT INTO t VALUES (?, ?)", {5.0, 5.0});
  EXPECT_THAT(sql("SELECT typeof(i), typeof(any), length(?) FROM t", {std::string_view("a\0b", 3)}),
              ElementsAre("integer|real|1"));
}

TEST_F(Sql, SeveralStatementsRunInOrderAndTheLastHasTheParameters) {
  EXPECT_THAT(sql("CREATE TABLE t (x); INSERT INTO t VALUES (1); INSERT INTO t VALUES (?)", {7.0}),
              IsEmpty());
  EXPECT_THAT(sql("SELECT x FROM t"), ElementsAre("1", "7.0"));
  const char refusal[] =
      "! When executing multiple SQL statements in a single call, only the last statement can have "
      "parameters.";
  EXPECT_THAT(sql("INSERT INTO t VALUES (?); SELECT 1", {7.0}), ElementsAre(refusal));
  EXPECT_THAT(sql("SELECT x FROM t"), ElementsAre("1", "7.0"));
}

TEST_F(Sql, BlanksAfterTheLastStatementAreNoStatement) {
  // workerd refuses a comment after the last semicolon; here it does no harm.
  for (const char* text : {"SELECT 1", "SELECT 1;", "SELECT 1; \n", "; ;SELECT 1;;",
                           "SELECT 1 -- c", "/* c */ SELECT 1; -- c", "SELECT 1; /* c */ ;"}) {
    EXPECT_THAT(sql(text), ElementsAre("1")) << text;
  }
  EXPECT_THAT(sql(std::string_view("SELECT 1\0 x", 11)),
              ElementsAre("! SQL code did not contain a statement."));
  EXPECT_THAT(sql(std::string_view("\0", 1)),
              ElementsAre("! SQL code did not contain a statement."));
  for (const char* text : {"", "  ", ";", "-- c", "/* c", "/* c */;"}) {
    EXPECT_THAT(sql(text), ElementsAre("! SQL code did not contain a statement.")) << text;
  }
}

TEST_F(Sql, TheNumberOfParametersMustBeRight) {
  const char refusal[] = "! Wrong number of parameter bindings for SQL query.";
  EXPECT_THAT(sql("SELECT 1", {2.0}), ElementsAre(refusal));
  EXPECT_THAT(sql("SELECT ?, ?", {2.0}), ElementsAre(refusal));
  EXPECT_THAT(sql("SELECT ?5", {2.0}), ElementsAre(refusal));
  EXPECT_THAT(sql("SELECT ?1, ?1", {2.0}), ElementsAre("2.0|2.0"));
  // The statement is in the cache now, and its refusals are the same.
  EXPECT_THAT(sql("SELECT ?, ?", {2.0}), ElementsAre(refusal));
  EXPECT_THAT(sql("SELECT ?, ?", {2.0, 3.0}), ElementsAre("2.0|3.0"));
}

TEST_F(Sql, FailuresReadAsOnThePlatform) {
  sql("CREATE TABLE t (i INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
  sql("CREATE TABLE u (a UNIQUE NOT NULL CHECK (a <> 5))");
  const std::pair<const char*, const char*> cases[] = {
      {"SELEC 1", "near \"SELEC\": syntax error at offset 0: SQLITE_ERROR"},
      {"SELECT * FROM nosuch", "no such table: nosuch: SQLITE_ERROR"},
      {"SELECT 'x' || ", "incomplete input: SQLITE_ERROR"},
      {"SELECT nosuch(1)", "no such function: nosuch at offset 7: SQLITE_ERROR"},
      {"INSERT INTO t VALUES (1)",
       "UNIQUE constraint failed: t.i: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)"},
      {"INSERT INTO u VALUES (NULL)",
       "NOT NULL constraint failed: u.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_NOTNULL)"},
      {"INSERT INTO u VALUES (5)",
       "CHECK constraint failed: a <> 5: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_CHECK)"},
      {"INSERT INTO u VALUES (6), (6)",
       "UNIQUE constraint failed: u.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(sql(text), ElementsAre("! " + std::string(message))) << text;
  }
  commit();
}

TEST_F(Sql, CountsWhatWasReadAndWritten) {
  sql("CREATE TABLE t (i INTEGER PRIMARY KEY, x)");
  const auto counts = [&](std::string_view text) {
    Result<AgentDatabase::Execution> execution = database_->exec(text, {});
    rows(*execution->cursor, execution->first);
    return std::pair(execution->cursor->rows_read(), execution->cursor->rows_written());
  };
  EXPECT_EQ(counts("INSERT INTO t (x) VALUES (1), (2), (3)"), std::pair(0L, 3L));
  EXPECT_EQ(counts("INSERT INTO t (x) VALUES (1), (2) RETURNING i").second, 2);
  EXPECT_EQ(counts("SELECT * FROM t"), std::pair(5L, 0L));
  EXPECT_EQ(counts("SELECT * FROM t WHERE i = 2"), std::pair(1L, 0L));
  EXPECT_EQ(counts("SELECT count(x) FROM t"), std::pair(5L, 0L));
  EXPECT_EQ(counts("UPDATE t SET x = 5"), std::pair(5L, 5L));
  EXPECT_EQ(counts("INSERT INTO t (x) VALUES (1); INSERT INTO t (x) VALUES (2)").second, 2);
}

TEST_F(SqlRules, RefuseTransactionsWithThePlatformsAdvice) {
  for (const char* text : {"BEGIN", "BEGIN IMMEDIATE", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a",
                           "RELEASE a", "ROLLBACK TO a"}) {
    EXPECT_THAT(sql(text), ElementsAre("! " + std::string(kTransactionRefusal))) << text;
  }
}

TEST_F(SqlRules, RefuseWhatReachesBeyondTheAgentsOwnTables) {
  put("key");
  sql("CREATE TABLE t (x)");
  for (const char* text : {"ATTACH ':memory:' AS b",
                           "DETACH main",
                           "CREATE TABLE _cf_x (a)",
                           "CREATE TABLE _CF_x (a)",
                           "DROP TABLE _cf_KV",
                           "DELETE FROM _cf_KV",
                           "INSERT INTO _cf_KV VALUES (1, 2)",
                           "ALTER TABLE t RENAME TO _cf_y",
                           "ALTER TABLE t RENAME TO [_Cf_y]; SELECT 1",
                           "ALTER TABLE _cf_KV RENAME TO mine",
                           "CREATE VIEW _cf_v AS SELECT 1",
                           "CREATE INDEX _cf_i ON t(x)",
                           "CREATE INDEX i ON _cf_KV(value)",
                           "CREATE TRIGGER _cf_t AFTER INSERT ON t BEGIN SELECT 1; END",
                           "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM _cf_KV; END; "
                           "INSERT INTO t VALUES (1)",
                           "CREATE TEMP TABLE tt (a)",
                           "CREATE TABLE temp.x (a)",
                           "CREATE TEMP VIEW tv AS SELECT 1",
                           "CREATE TEMP TRIGGER ttr AFTER INSERT ON t BEGIN SELECT 1; END",
                           "CREATE VIRTUAL TABLE d USING dbstat",
                           "PRAGMA table_info(_cf_KV)",
                           "SELECT load_extension('x')"}) {
    EXPECT_THAT(first(text), HasSubstr("not authorized")) << text;
  }
  EXPECT_THAT(sql("SELECT * FROM _cf_KV"),
              ElementsAre("! access to _cf_KV.key is prohibited: SQLITE_AUTH"));
  EXPECT_THAT(first("CREATE VIEW v AS SELECT key FROM _cf_KV; SELECT * FROM v"),
              HasSubstr("access to _cf_KV.key is prohibited"));
  EXPECT_THAT(sql("VACUUM"),
              ElementsAre("! cannot VACUUM from within a transaction: SQLITE_ERROR"));
  EXPECT_THAT(sql("VACUUM INTO '/tmp/hearth-must-not-be'"),
              ElementsAre("! cannot VACUUM from within a transaction: SQLITE_ERROR"));
  EXPECT_THAT(sql("UPDATE sqlite_master SET name = 'x'"),
              ElementsAre("! table sqlite_master may not be modified: SQLITE_ERROR"));
  EXPECT_EQ(value("key"), "v");
}

TEST_F(SqlRules, AlsoHoldWhenASchemaChangePreparesAStatementAnew) {
  put("key");
  sql("CREATE TABLE t (x)");
  EXPECT_THAT(sql("SELECT * FROM t"), IsEmpty());
  EXPECT_EQ(value("key"), "v");
  sql("ALTER TABLE t ADD COLUMN y");
  EXPECT_THAT(sql("INSERT INTO t VALUES (1, 2) RETURNING x, y"), ElementsAre("1|2"));
  EXPECT_THAT(sql("SELECT * FROM t"), ElementsAre("1|2"));
  EXPECT_EQ(value("key"), "v");
  put("key", "w");
  EXPECT_EQ(keys(), "key");
  EXPECT_TRUE(database_->set_alarm(1));
  commit();
}

TEST_F(SqlRules, RefuseFunctionsThatTellOfTheBuild) {
  for (const char* function : {"sqlite_version()", "sqlite_source_id()",
                               "sqlite_compileoption_used('x')", "fts5_source_id()"}) {
    EXPECT_EQ(first("SELECT " + std::string(function)).find("! not authorized to use function: "),
              0u)
        << function;
  }
}

TEST_F(SqlRules, AllowWhatThePlatformAllows) {
  sql("CREATE TABLE t (i INTEGER PRIMARY KEY, x, y TEXT); CREATE TABLE c (p REFERENCES t(i))");
  for (const char* text :
       {"CREATE INDEX ti ON t(y)",
        "REINDEX",
        "ANALYZE",
        "EXPLAIN SELECT 1",
        "EXPLAIN QUERY PLAN SELECT * FROM t",
        "ALTER TABLE t RENAME TO t2",
        "ALTER TABLE t2 RENAME TO t",
        "ALTER TABLE t ADD COLUMN z",
        "ALTER TABLE t DROP COLUMN z",
        "ALTER TABLE t RENAME COLUMN x TO xx",
        "ALTER TABLE t RENAME COLUMN xx TO x",
        "CREATE VIEW v AS SELECT 1 AS o",
        "SELECT * FROM v",
        "DROP VIEW v",
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET x = 1 WHERE i = new.i; END",
        "INSERT INTO t (y) VALUES ('a')",
        "DROP TRIGGER tr",
        "CREATE VIRTUAL TABLE f USING fts5(a)",
        "INSERT INTO f VALUES ('hello')",
        "SELECT *, bm25(f), highlight(f, 0, '<', '>') FROM f('hello')",
        "CREATE VIRTUAL TABLE fv USING fts5vocab(f, row)",
        "DROP TABLE f",
        "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
        "SELECT name FROM sqlite_master",
        "SELECT json_extract('{\"a\":1}', '$.a'), '[1]' ->> 0, json_group_array(x) FROM t",
        "SELECT * FROM json_each('[1]')",
        "SELECT name FROM pragma_table_info('t')",
        "SELECT row_number() OVER (), lag(x) OVER () FROM t",
        "SELECT sin(1), strftime('%Y', 0)",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 9) SELECT x FROM c",
        "INSERT INTO t (i) VALUES (1) ON CONFLICT DO NOTHING",
        "DROP INDEX ti"}) {
    EXPECT_THAT(sql(text), ::testing::Each(::testing::Not(StartsWith("!")))) << text;
  }
  commit();
}

TEST_F(SqlRules, LetThroughThePragmasOfThePlatformAlone) {
  sql("CREATE TABLE t (i INTEGER PRIMARY KEY, x); CREATE INDEX ti ON t(x)");
  for (const char* pragma : {"foreign_keys",
                             "foreign_keys=off",
                             "foreign_keys=on",
                             "defer_foreign_keys=on",
                             "page_size",
                             "table_info(t)",
                             "table_list",
                             "table_xinfo(t)",
                             "index_list(t)",
                             "index_info(ti)",
                             "index_xinfo(ti)",
                             "foreign_key_list(t)",
                             "foreign_key_check",
                             "foreign_key_check(t)",
                             "quick_check",
                             "quick_check(t)",
                             "quick_check(5)",
                             "optimize",
                             "case_sensitive_like=on",
                             "ignore_check_constraints=off",
                             "legacy_alter_table=off",
                             "recursive_triggers",
                             "reverse_unordered_selects=off",
                             "data_version"}) {
    EXPECT_THAT(sql("PRAGMA " + std::string(pragma)),
                ::testing::Each(::testing::Not(StartsWith("!"))))
        << pragma;
  }
  for (const char* pragma : {"journal_mode",      "journal_mode=delete", "synchronous=off",
                             "page_count",        "user_version",        "user_version=3",
                             "integrity_check",   "cache_size",          "wal_checkpoint",
                             "database_list",     "function_list",       "compile_options",
                             "encoding",          "schema_version",      "max_page_count=5",
                             "temp_store",        "trusted_schema",      "secure_delete",
                             "locking_mode",      "locking_mode=normal", "auto_vacuum",
                             "busy_timeout",      "writable_schema=on",  "query_only",
                             "hard_heap_limit=1", "mmap_size=9",         "nosuch"}) {
    EXPECT_THAT(sql("PRAGMA " + std::string(pragma)), ElementsAre("! not authorized: SQLITE_AUTH"))
        << pragma;
  }
}

TEST_F(SqlRules, DeferredForeignKeysAreCheckedWhenTheTurnEnds) {
  sql("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id))");
  commit();
  sql("PRAGMA defer_foreign_keys=on");
  EXPECT_THAT(sql("INSERT INTO c VALUES (9)"), IsEmpty());
  sql("INSERT INTO p VALUES (9)");
  commit();
  EXPECT_THAT(first("INSERT INTO c VALUES (8)"), HasSubstr("FOREIGN KEY constraint failed"));
  sql("PRAGMA defer_foreign_keys=on");
  EXPECT_THAT(sql("INSERT INTO c VALUES (8)"), IsEmpty());
  const Result<AgentDatabase::Turn> turn = database_->commit_turn();
  ASSERT_FALSE(turn);
  EXPECT_THAT(turn.error().message, HasSubstr("FOREIGN KEY constraint failed"));
  EXPECT_THAT(sql("SELECT p FROM c"), ElementsAre("9"));
}

TEST_F(SqlLimits, HoldForStatementsColumnsParametersAndExpressions) {
  const std::string error = ": SQLITE_ERROR";
  EXPECT_THAT(sql("SELECT " + times(100, "1", ",")), ::testing::SizeIs(1));
  EXPECT_THAT(sql("SELECT " + times(101, "1", ",")),
              ElementsAre("! too many columns in result set" + error));
  EXPECT_THAT(first("CREATE TABLE wide (" + times(101, "c", ",") + ")"), StartsWith("!"));
  EXPECT_THAT(sql("SELECT ?100", std::vector<Parameter>(100, 1.0)), ElementsAre("1.0"));
  EXPECT_THAT(sql("SELECT ?101", std::vector<Parameter>(101, 1.0)),
              ElementsAre("! variable number must be between ?1 and ?100 at offset 7" + error));
  EXPECT_THAT(sql("SELECT 1" + times(99, "+1")), ElementsAre("100"));
  EXPECT_THAT(sql("SELECT 1" + times(100, "+1")),
              ElementsAre("! Expression tree is too large (maximum depth 100)" + error));
  EXPECT_THAT(sql("SELECT 1" + times(4, " UNION SELECT 1")), ElementsAre("1"));
  EXPECT_THAT(sql("SELECT 1" + times(5, " UNION SELECT 1")),
              ElementsAre("! too many terms in compound SELECT" + error));
  EXPECT_THAT(sql("SELECT 'a' LIKE '" + times(50, "x") + "'"), ElementsAre("0"));
  EXPECT_THAT(sql("SELECT 'a' LIKE '" + times(51, "x") + "'"),
              ElementsAre("! LIKE or GLOB pattern too complex" + error));
  EXPECT_THAT(sql("SELECT " + times(99'992, " ") + "1"), ElementsAre("1"));
  EXPECT_THAT(sql("SELECT " + times(99'994, " ") + "1"),
              ElementsAre("! statement too long: SQLITE_TOOBIG"));
}

TEST_F(SqlLimits, HoldForValuesAndRows) {
  const std::string large(9 * 1024 * 1024, 'x');
  const char refusal[] = "! string or blob too big: SQLITE_TOOBIG";
  EXPECT_THAT(sql("SELECT length(?)", {std::string_view(large)}), ElementsAre(refusal));
  EXPECT_THAT(sql("SELECT length(?)", {Blob{large}}), ElementsAre(refusal));
  EXPECT_THAT(sql("SELECT length(zeroblob(9000000))"), ElementsAre(refusal));
  sql("CREATE TABLE t (x, y)");
  EXPECT_THAT(sql("INSERT INTO t VALUES (zeroblob(5000000), zeroblob(5000000))"),
              ElementsAre(refusal));
  EXPECT_THAT(sql("INSERT INTO t VALUES (zeroblob(4200000), NULL)"), IsEmpty());
}

TEST_F(Cursors, GoOnAfterTheTurnsCommit) {
  sql("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)");
  commit();
  Result<AgentDatabase::Execution> execution = database_->exec("SELECT x FROM t", {});
  ASSERT_TRUE(execution);
  EXPECT_EQ(execution->cursor->number(0), 1);
  sql("DELETE FROM t WHERE x > 100");
  sql("CREATE TABLE other (a)");
  commit();
  EXPECT_EQ(*execution->cursor->step(), Step::kRow);
  EXPECT_EQ(execution->cursor->number(0), 2);
}

TEST_F(Cursors, OfTheSameTextAreIndependent) {
  sql("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)");
  Result<AgentDatabase::Execution> first = database_->exec("SELECT x FROM t", {});
  Result<AgentDatabase::Execution> second = database_->exec("SELECT x FROM t", {});
  EXPECT_EQ(first->cursor->number(0), 1);
  EXPECT_EQ(second->cursor->number(0), 1);
  EXPECT_EQ(*first->cursor->step(), Step::kRow);
  EXPECT_EQ(first->cursor->number(0), 2);
  EXPECT_EQ(second->cursor->number(0), 1);
}

TEST_F(Cursors, KeepTheirTableFromBeingDropped) {
  sql("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)");
  Result<AgentDatabase::Execution> execution = database_->exec("SELECT x FROM t", {});
  EXPECT_THAT(sql("DROP TABLE t"), ElementsAre("! database table is locked: SQLITE_LOCKED"));
  execution->cursor->finish();
  EXPECT_THAT(sql("DROP TABLE t"), IsEmpty());
}

TEST_F(Cursors, EndWithTheirDatabaseAndMayGoAfterIt) {
  sql("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)");
  Result<AgentDatabase::Execution> execution = database_->exec("SELECT x FROM t", {});
  database_.reset();
  EXPECT_EQ(execution->cursor->statement(), nullptr);
  EXPECT_EQ(*execution->cursor->step(), Step::kDone);
}

TEST_F(Cursors, StatementsPastTheCachesBoundStillWork) {
  sql("CREATE TABLE t (x)");
  for (int i = 0; i < 300; ++i) {
    ASSERT_THAT(sql("INSERT INTO t VALUES (" + std::to_string(i) + ")"), IsEmpty());
  }
  EXPECT_THAT(sql("SELECT count(*), sum(x) FROM t"), ElementsAre("300|44850"));
}

}  // namespace
}  // namespace hearth::storage
