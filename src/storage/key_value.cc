// The key-value half of AgentDatabase, and deleteAll.
#include <sqlite3.h>

#include <utility>
#include <vector>

#include "storage/agent_database.h"
#include "storage/sqlite_error.h"

namespace hearth::storage {

namespace {

void bind_text(sqlite3_stmt* raw, int index, std::string_view text) {
  // Bound without a copy: it outlives the step, and `reset` clears it.
  sqlite3_bind_text64(raw, index, text.data() == nullptr ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

std::string_view column_text(sqlite3_stmt* raw, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, column));
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(raw, column))};
}

std::string_view column_blob(sqlite3_stmt* raw, int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(raw, column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(raw, column))};
}

// The first key after all that begin with `prefix`, in the order of bytes: the prefix with its last
// byte raised. UTF-8 has no byte 0xFF, so there always is one for a prefix that is not empty.
std::string after_prefix(std::string_view prefix) {
  std::string after(prefix);
  after.back() = static_cast<char>(static_cast<unsigned char>(after.back()) + 1);
  return after;
}

std::string quoted(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

}  // namespace

Status AgentDatabase::ensure_kv_table() {
  if (in_turn_ && has_kv_ && tables_known_) return lost_turn();
  // workerd makes both tables, the metadata first: so do we, for files to be alike.
  if (Status status = ensure_metadata_table(); !status) return status;
  if (has_kv_) return {};
  Status status =
      run("CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID");
  has_kv_ = status.ok();
  return status;
}

Result<bool> AgentDatabase::get(std::string_view key,
                                const std::function<void(std::string_view)>& found) {
  if (!has_kv_ || !tables_known_) {
    Result<bool> there = open_if_there();
    if (!there || !*there) return there;
    if (Status status = look_for_tables(); !status) return status.error();
    if (!has_kv_) return false;
  }
  Result<Statement*> statement = own("SELECT value FROM _cf_KV WHERE key = ?");
  if (!statement) return statement.error();
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  bind_text(raw, 1, key);
  const int code = sqlite3_step(raw);
  Result<bool> result = code == SQLITE_ROW;
  if (code == SQLITE_ROW) {
    found(column_blob(raw, 0));
  } else if (code != SQLITE_DONE) {
    result = sqlite_error(connection_->raw());
  }
  (*statement)->reset();
  return result;
}

Status AgentDatabase::put(std::string_view key, std::string_view value) {
  if (Status status = ensure_kv_table(); !status) return status;
  Result<Statement*> statement = own(
      "INSERT INTO _cf_KV VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  if (!statement) return statement.error();
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  bind_text(raw, 1, key);
  const int bound = sqlite3_bind_blob64(raw, 2, value.data() == nullptr ? "" : value.data(),
                                        value.size(), SQLITE_STATIC);
  Status status;
  if (bound != SQLITE_OK || sqlite3_step(raw) != SQLITE_DONE) {
    status = sqlite_error(connection_->raw());
  }
  (*statement)->reset();
  return status;
}

Result<bool> AgentDatabase::remove(std::string_view key) {
  Result<bool> there = open_if_there();
  if (!there || !*there) return there;
  if (Status status = look_for_tables(); !status) return status.error();
  if (!has_kv_) return false;
  if (Status status = ensure_turn(); !status) return status.error();
  Result<Statement*> statement = own("DELETE FROM _cf_KV WHERE key = ?");
  if (!statement) return statement.error();
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  bind_text(raw, 1, key);
  Result<bool> result = true;
  if (sqlite3_step(raw) == SQLITE_DONE) {
    result = sqlite3_changes(connection_->raw()) > 0;
  } else {
    result = sqlite_error(connection_->raw());
  }
  (*statement)->reset();
  return result;
}

Status AgentDatabase::list(
    const ListOptions& options,
    const std::function<void(std::string_view key, std::string_view value)>& each) {
  Result<bool> there = open_if_there();
  if (!there) return there.error();
  if (!*there) return {};
  if (Status status = look_for_tables(); !status) return status;
  if (!has_kv_) return {};

  // The tightest of what `start`, `startAfter` and `prefix` say, and of `end` and `prefix`.
  std::optional<std::string_view> from = options.start;
  bool after = false;
  if (options.start_after && (!from || *options.start_after >= *from)) {
    from = options.start_after;
    after = true;
  }
  std::optional<std::string_view> to = options.end;
  std::string prefix_end;
  if (options.prefix && !options.prefix->empty()) {
    if (!from || *options.prefix > *from) {
      from = options.prefix;
      after = false;
    }
    prefix_end = after_prefix(*options.prefix);
    if (!to || prefix_end < *to) to = prefix_end;
  }

  std::string sql = "SELECT key, value FROM _cf_KV";
  if (from) sql += after ? " WHERE key > ?1" : " WHERE key >= ?1";
  if (to) sql += from ? " AND key < ?2" : " WHERE key < ?2";
  sql += options.reverse ? " ORDER BY key DESC LIMIT ?3" : " ORDER BY key LIMIT ?3";
  Result<Statement*> statement = own(sql);
  if (!statement) return statement.error();
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  if (from) bind_text(raw, 1, *from);
  if (to) bind_text(raw, 2, *to);
  sqlite3_bind_int64(raw, 3, options.limit ? static_cast<std::int64_t>(*options.limit) : -1);
  int code;
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) each(column_text(raw, 0), column_blob(raw, 1));
  Status status = code == SQLITE_DONE ? Status() : Status(sqlite_error(connection_->raw()));
  (*statement)->reset();
  return status;
}

Status AgentDatabase::delete_all(bool alarm) {
  Result<bool> there = open_if_there();
  if (!there) return there.error();
  if (!*there) return {};
  if (Status status = ensure_turn(); !status) return status;
  // All of it or nothing, also where it is one part of a larger turn.
  if (Status status = begin(); !status) return status;
  end_cursors();
  statements_.clear();
  // Tables that refer to each other could not be dropped in any order otherwise. Unlike the pragma,
  // this works within a transaction.
  int enforced = 0;
  sqlite3_db_config(connection_->raw(), SQLITE_DBCONFIG_ENABLE_FKEY, -1, &enforced);
  sqlite3_db_config(connection_->raw(), SQLITE_DBCONFIG_ENABLE_FKEY, 0, nullptr);
  Status status = drop_everything();
  sqlite3_db_config(connection_->raw(), SQLITE_DBCONFIG_ENABLE_FKEY, enforced, nullptr);
  tables_known_ = false;
  if (!status) {
    (void)rollback().ok();
    return status;
  }
  if (Status committed = commit(); !committed) return committed;
  return alarm ? set_alarm(std::nullopt) : Status();
}

Status AgentDatabase::drop_everything() {
  struct Entry {
    std::string type;
    std::string name;
  };
  // Virtual tables first: they drop the tables that they keep their content in.
  Result<Statement*> statement =
      own("SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') "
          "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> '_cf_METADATA' "
          "ORDER BY type = 'table' AND sql LIKE 'create virtual%' DESC, type DESC");
  if (!statement) return statement.error();
  std::vector<Entry> entries;
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  int code;
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) {
    entries.push_back({std::string(column_text(raw, 0)), std::string(column_text(raw, 1))});
  }
  Status status = code == SQLITE_DONE ? Status() : Status(sqlite_error(connection_->raw()));
  (*statement)->reset();
  if (!status) return status;
  for (const Entry& entry : entries) {
    const std::string sql = "DROP " + entry.type + " IF EXISTS " + quoted(entry.name);
    if (sqlite3_exec(connection_->raw(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      return sqlite_error(connection_->raw());
    }
  }
  for (const char* table : {"sqlite_stat1", "sqlite_stat4", "sqlite_sequence"}) {
    const std::string sql = std::string("DELETE FROM ") + table;
    sqlite3_exec(connection_->raw(), sql.c_str(), nullptr, nullptr, nullptr);  // where it is there
  }
  return {};
}

}  // namespace hearth::storage
