#include "core/agent_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <system_error>
#include <utility>

namespace hearth::core {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNanosecondsPerMillisecond = 1'000'000;
constexpr char kNameKey[] = "__ps_name";  // partyserver's and the SDK's

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
using DatabasePointer = std::unique_ptr<sqlite3, CloseDatabase>;

Error refused(const fs::path& file, sqlite3* database) {
  const int code = database == nullptr ? SQLITE_NOMEM : sqlite3_errcode(database);
  const bool corrupt = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  return {corrupt ? ErrorCode::kCorrupt : ErrorCode::kIo,
          file.string() + ": " + (database == nullptr ? "no memory" : sqlite3_errmsg(database))};
}

Result<DatabasePointer> open_file(const fs::path& file, bool create = false) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
  DatabasePointer database(raw);
  // Alone with it, the log's index is kept in memory.
  if (code != SQLITE_OK ||
      sqlite3_exec(raw, "PRAGMA locking_mode=EXCLUSIVE", nullptr, nullptr, nullptr) != SQLITE_OK) {
    return refused(file, raw);
  }
  // To look at a file moves nothing: a log that a crash left is the history's to be told of
  // (storage/history.h) by whoever opens the agent next.
  std::error_code error;
  if (!create && fs::exists(file.string() + "-wal", error)) {
    sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  return database;
}

using Row = std::function<void(sqlite3_stmt*)>;
using Bind = std::function<void(sqlite3_stmt*)>;

bool query(sqlite3* database, const std::string& sql, const Row& row, const Bind& bind = {}) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return false;
  if (bind) bind(statement);
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) row(statement);
  return sqlite3_finalize(statement) == SQLITE_OK && code == SQLITE_DONE;
}

std::string text_at(sqlite3_stmt* statement, int column) {
  const void* bytes = sqlite3_column_blob(statement, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

bool has_table(sqlite3* database, std::string_view name) {
  bool found = false;
  query(
      database, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?",
      [&](sqlite3_stmt*) { found = true; },
      [&](sqlite3_stmt* statement) {
        sqlite3_bind_text(statement, 1, name.data(), static_cast<int>(name.size()),
                          SQLITE_TRANSIENT);
      });
  return found;
}

std::string quoted(const std::string& name) {
  std::string result = "\"";
  for (const char c : name) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

std::optional<std::int64_t> alarm_in(sqlite3* database) {
  std::optional<std::int64_t> at_ms;
  if (!has_table(database, "_cf_METADATA")) return at_ms;
  query(database, "SELECT value FROM _cf_METADATA WHERE key = 1 AND typeof(value) = 'integer'",
        [&](sqlite3_stmt* row) {
          at_ms = sqlite3_column_int64(row, 0) / kNanosecondsPerMillisecond;
        });
  return at_ms;
}

// A string in V8's serialization format, version 15: of one byte a character where it can be.
// Others (two bytes) come as an empty string: a name is then learned from its first caller.
std::string v8_string(const std::string& bytes) {
  std::size_t at = 2;
  if (bytes.size() < 4 || bytes[0] != '\xff' || bytes[at] != '"') return {};
  std::size_t size = 0;
  int shift = 0;
  for (++at; at < bytes.size() && shift < 28; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    size |= static_cast<std::size_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (at + size != bytes.size()) return {};
  std::string text;
  for (const char c : bytes.substr(at)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {  // latin1
      text += static_cast<char>(0xc0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

// UTF-8 in V8's format has a tag of its own.
std::string v8_value(std::string_view text) {
  std::string bytes = "\xff\x0fS";
  for (std::size_t size = text.size();; size >>= 7) {
    if (size < 0x80) {
      bytes += static_cast<char>(size);
      break;
    }
    bytes += static_cast<char>(0x80 | (size & 0x7f));
  }
  return bytes.append(text);
}

std::string name_in(sqlite3* database) {
  std::string name;
  if (!has_table(database, "_cf_KV")) return name;
  query(database, std::string("SELECT value FROM _cf_KV WHERE key = '") + kNameKey + "'",
        [&](sqlite3_stmt* row) { name = v8_string(text_at(row, 0)); });
  return name;
}

Status sync(const fs::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  const bool ok = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (ok) return {};
  return Error{ErrorCode::kIo, "syncing " + path.string()};
}

// Moves the log into the file, looks through it all, and leaves nothing beside it.
Status settle(const fs::path& file) {
  auto database = open_file(file);
  if (!database) return database.error();
  std::string verdict;
  const bool good =
      query(database->get(), "PRAGMA wal_checkpoint(TRUNCATE)", [](sqlite3_stmt*) {}) &&
      query(database->get(), "PRAGMA quick_check(1)",
            [&](sqlite3_stmt* row) { verdict = text_at(row, 0); });
  if (!good) return refused(file, database->get());
  if (verdict == "ok") return {};
  return Error{ErrorCode::kCorrupt, file.string() + " is damaged: " + verdict};
}

}  // namespace

Result<AgentFileFacts> inspect_agent_file(const fs::path& file) {
  auto opened = open_file(file);
  if (!opened) return opened.error();
  sqlite3* database = opened->get();
  AgentFileFacts facts;
  std::vector<std::string> names;
  bool good =
      query(database, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            [&](sqlite3_stmt* row) { facts.bytes = sqlite3_column_int64(row, 0); });
  good = good && query(database,
                       "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                       "'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' "
                       "ORDER BY name",
                       [&](sqlite3_stmt* row) { names.push_back(text_at(row, 0)); });
  if (!good) return refused(file, database);
  if (has_table(database, "_cf_KV")) {
    query(database, "SELECT count(*) FROM _cf_KV",
          [&](sqlite3_stmt* row) { facts.keys = sqlite3_column_int64(row, 0); });
  }
  for (const std::string& name : names) {
    std::int64_t rows = -1;  // a virtual table whose module is not here
    query(database, "SELECT count(*) FROM " + quoted(name),
          [&](sqlite3_stmt* row) { rows = sqlite3_column_int64(row, 0); });
    facts.tables.emplace_back(name, rows);
  }
  facts.alarm_ms = alarm_in(database);
  facts.name = name_in(database);
  return facts;
}

Result<std::optional<std::int64_t>> alarm_of_agent_file(const fs::path& file) {
  auto database = open_file(file);
  if (!database) return database.error();
  return alarm_in(database->get());
}

Status copy_agent_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (fs::exists(to, error)) {
    return Error{ErrorCode::kConflict, to.string() + " is there already"};
  }
  fs::create_directories(to.parent_path(), error);
  const fs::path copy = to.string() + ".copy";
  const auto discard = [&] {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
      fs::remove(copy.string() + suffix, error);
    }
  };
  discard();
  for (const char* suffix : {"", "-wal", "-journal"}) {
    const fs::path part = from.string() + suffix;
    if (*suffix != '\0' && !fs::exists(part, error)) continue;
    if (!fs::copy_file(part, copy.string() + suffix, error) || error) {
      const std::string why = error.message();
      discard();
      return Error{ErrorCode::kIo, "copying " + part.string() + ": " + why};
    }
  }
  Status status = settle(copy);
  if (status) status = sync(copy, O_RDONLY);
  if (status) {
    fs::rename(copy, to, error);
    if (error) status = Error{ErrorCode::kIo, "naming " + to.string() + ": " + error.message()};
  }
  discard();
  return status ? sync(to.parent_path(), O_RDONLY | O_DIRECTORY) : status;
}

Status rename_in_agent_file(const fs::path& file, std::string_view name) {
  auto opened = open_file(file);
  if (!opened) return opened.error();
  if (!has_table(opened->get(), "_cf_KV")) return {};
  const std::string value = v8_value(name);
  const bool good = query(
      opened->get(), std::string("UPDATE _cf_KV SET value = ? WHERE key = '") + kNameKey + "'",
      [](sqlite3_stmt*) {},
      [&](sqlite3_stmt* statement) {
        sqlite3_bind_blob(statement, 1, value.data(), static_cast<int>(value.size()),
                          SQLITE_TRANSIENT);
      });
  return good ? Status() : Status(refused(file, opened->get()));
}

Result<std::vector<IndexedAlarm>> read_alarm_index(const fs::path& file) {
  std::vector<IndexedAlarm> alarms;
  std::error_code error;
  if (!fs::exists(file, error)) return alarms;
  // It may be read-only, or in use: a copy is read.
  const fs::path copy =
      fs::temp_directory_path(error) / ("hearth-index-" + std::to_string(::getpid()) + ".sqlite");
  fs::remove(copy, error);
  Status status = copy_agent_file(file, copy);
  if (!status) return status.error();
  auto opened = open_file(copy);
  if (!opened) return opened.error();
  sqlite3* database = opened->get();
  bool named = false;
  bool good = query(database, "SELECT name FROM pragma_table_info('_cf_ALARM')",
                    [&](sqlite3_stmt* row) { named = named || text_at(row, 0) == "actor_name"; });
  if (good && has_table(database, "_cf_ALARM")) {
    const std::string sql = std::string("SELECT actor_id, scheduled_time, ") +
                            (named ? "actor_name" : "NULL") + " FROM _cf_ALARM";
    good = query(database, sql, [&](sqlite3_stmt* row) {
      alarms.push_back({text_at(row, 0), sqlite3_column_int64(row, 1) / kNanosecondsPerMillisecond,
                        text_at(row, 2)});
    });
  }
  const Error failure = refused(file, database);
  opened->reset();
  fs::remove(copy, error);
  if (!good) return failure;
  return alarms;
}

Status write_alarm_index(const fs::path& file, const std::vector<IndexedAlarm>& alarms) {
  auto opened = open_file(file, /*create=*/true);
  if (!opened) return opened.error();
  sqlite3* database = opened->get();
  const auto run = [&](const char* sql) {
    return sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
  };
  bool good = run("PRAGMA journal_mode=WAL") &&
              run("CREATE TABLE IF NOT EXISTS _cf_ALARM (actor_id TEXT PRIMARY KEY, "
                  "scheduled_time INTEGER, actor_name TEXT) WITHOUT ROWID") &&
              run("BEGIN");
  for (const IndexedAlarm& each : alarms) {
    good = good &&
           query(
               database, "INSERT OR REPLACE INTO _cf_ALARM VALUES (?, ?, ?)", [](sqlite3_stmt*) {},
               [&](sqlite3_stmt* statement) {
                 sqlite3_bind_text(statement, 1, each.id.c_str(), -1, SQLITE_TRANSIENT);
                 sqlite3_bind_int64(statement, 2, each.at_ms * kNanosecondsPerMillisecond);
                 if (!each.name.empty()) {
                   sqlite3_bind_text(statement, 3, each.name.c_str(), -1, SQLITE_TRANSIENT);
                 }
               });
  }
  return good && run("COMMIT") ? Status() : Status(refused(file, database));
}

}  // namespace hearth::core
