#include "storage/agent_database.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "storage/sqlite_error.h"

namespace hearth::storage {

namespace {

constexpr std::int64_t kNanosecondsPerMillisecond = 1'000'000;
constexpr int kAlarmKey = 1;  // in _cf_METADATA

constexpr std::string_view kLostTurn =
    "what was written since the last await was rolled back by the database itself (a statement "
    "with "
    "OR ROLLBACK, or a full disk)";

}  // namespace

AgentDatabase::AgentDatabase(std::string path, BeforeOpen before_open, Disk& disk,
                             HistoryOptions history)
    : path_(std::move(path)),
      before_open_(std::move(before_open)),
      disk_(disk),
      history_(history) {}

AgentDatabase::~AgentDatabase() {
  (void)release();
}

Status AgentDatabase::open() {
  if (connection_) return {};
  if (before_open_) before_open_(path_);
  Result<std::unique_ptr<Connection>> opened = Connection::open(path_, disk_, history_);
  if (!opened) return opened.error();
  connection_ = std::move(*opened);
  tables_known_ = false;
  return {};
}

Result<bool> AgentDatabase::open_if_there() {
  if (!connection_) {
    if (before_open_) before_open_(path_);
    if (!disk_.exists(path_)) return false;
    if (Status status = open(); !status) return status.error();
  }
  return true;
}

Status AgentDatabase::look_for_tables() {
  if (tables_known_) return {};
  Result<Statement*> statement =
      own("SELECT name FROM sqlite_schema WHERE name IN ('_cf_KV', '_cf_METADATA')");
  if (!statement) return statement.error();
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  has_kv_ = has_metadata_ = false;
  int code;
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) {
    const auto* name = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
    (std::string_view(name) == "_cf_KV" ? has_kv_ : has_metadata_) = true;
  }
  Status status = code == SQLITE_DONE ? Status() : Status(sqlite_error(connection_->raw()));
  (*statement)->reset();
  tables_known_ = status.ok();
  return status;
}

Result<Statement> AgentDatabase::prepare(std::string_view sql, std::string_view* rest) {
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(connection_->raw(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, &tail);
  if (code != SQLITE_OK) return sqlite_error(connection_->raw());
  if (rest != nullptr) *rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
  Statement statement(raw);
  if (raw != nullptr) statement.set_read_only(sqlite3_stmt_readonly(raw) != 0);
  return statement;
}

Result<Statement*> AgentDatabase::own(std::string_view sql) {
  if (Statement* found = own_statements_.find(sql)) return found;
  Rules::Trusted trusted(connection_->rules());
  Result<Statement> prepared = prepare(sql, nullptr);
  if (!prepared) return prepared.error();
  Statement* kept = own_statements_.keep(sql, std::move(*prepared));
  ASSERT(kept != nullptr, "our own statements are few and short");
  return kept;
}

Status AgentDatabase::run(std::string_view sql) {
  Result<Statement*> statement = own(sql);
  if (!statement) return statement.error();
  // SQLite may prepare it anew, with the authorizer asked again.
  Rules::Trusted trusted(connection_->rules());
  const int code = sqlite3_step((*statement)->raw());
  Status status = code == SQLITE_DONE || code == SQLITE_ROW
                      ? Status()
                      : Status(sqlite_error(connection_->raw()));
  (*statement)->reset();
  return status;
}

Status AgentDatabase::run_all(Statement statement) {
  int code;
  do {
    code = sqlite3_step(statement.raw());
  } while (code == SQLITE_ROW);
  return code == SQLITE_DONE ? Status() : Status(sqlite_error(connection_->raw()));
}

// ---- transactions ---------------------------------------------------------------------------

Status AgentDatabase::ensure_turn() {
  if (in_turn_) return lost_turn();
  if (Status status = open(); !status) return status;
  if (Status status = run("BEGIN IMMEDIATE"); !status) return status;
  in_turn_ = true;
  return {};
}

Status AgentDatabase::lost_turn() {
  // SQLite ends a transaction by itself for OR ROLLBACK, a full disk and the like. What is written
  // after it would be a commit of its own, so nothing more is until the owner has been told.
  if (!in_turn_ || sqlite3_get_autocommit(connection_->raw()) == 0) return {};
  return Error{ErrorCode::kIo, std::string(kLostTurn)};
}

Status AgentDatabase::begin() {
  if (Status status = ensure_turn(); !status) return status;
  Status status = run("SAVEPOINT hearth_" + std::to_string(depth_));
  if (status) ++depth_;
  return status;
}

Status AgentDatabase::commit() {
  if (depth_ == 0) return Error{ErrorCode::kInvalid, "no transaction is open"};
  if (Status status = lost_turn(); !status) return status;
  Status status = run("RELEASE hearth_" + std::to_string(depth_ - 1));
  if (status) --depth_;
  return status;
}

Status AgentDatabase::rollback() {
  if (depth_ == 0) return Error{ErrorCode::kInvalid, "no transaction is open"};
  const std::string name = "hearth_" + std::to_string(--depth_);
  tables_known_ = false;
  if (Status status = lost_turn(); !status) return status;
  if (Status status = run("ROLLBACK TO " + name); !status) return status;
  return run("RELEASE " + name);
}

Result<AgentDatabase::Turn> AgentDatabase::commit_turn() {
  if (!in_turn_) return Turn::kNothing;
  if (Status status = lost_turn(); !status) {
    abandon();
    return status.error();
  }
  if (depth_ > 0) return Turn::kOpen;
  (void)connection_->take_wrote();
  if (Status status = run("COMMIT"); !status) {
    connection_->note_failed_commit();
    abandon();
    return status.error();
  }
  in_turn_ = false;
  return connection_->take_wrote() ? Turn::kCommitted : Turn::kNothing;
}

void AgentDatabase::abandon() {
  if (!in_turn_) return;
  in_turn_ = false;
  depth_ = 0;
  tables_known_ = false;
  if (sqlite3_get_autocommit(connection_->raw()) == 0) (void)run("ROLLBACK").ok();
}

void AgentDatabase::end_cursors() {
  while (!cursors_.empty()) cursors_.back()->finish();
}

std::shared_ptr<Connection> AgentDatabase::release() {
  if (!connection_) return nullptr;
  end_cursors();
  abandon();
  statements_.clear();
  own_statements_.clear();
  tables_known_ = false;
  return std::exchange(connection_, nullptr);
}

// ---- the alarm ------------------------------------------------------------------------------

Status AgentDatabase::ensure_metadata_table() {
  if (Status status = ensure_turn(); !status) return status;
  if (Status status = look_for_tables(); !status) return status;
  if (has_metadata_) return {};
  Status status =
      run("CREATE TABLE IF NOT EXISTS _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)");
  has_metadata_ = status.ok();
  return status;
}

Result<std::optional<std::int64_t>> AgentDatabase::alarm() {
  Result<bool> there = open_if_there();
  if (!there) return there.error();
  if (!*there) return std::optional<std::int64_t>();
  if (Status status = look_for_tables(); !status) return status.error();
  if (!has_metadata_) return std::optional<std::int64_t>();
  Result<Statement*> statement = own("SELECT value FROM _cf_METADATA WHERE key = ?");
  if (!statement) return statement.error();
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  sqlite3_bind_int(raw, 1, kAlarmKey);
  const int code = sqlite3_step(raw);
  std::optional<std::int64_t> at_ms;
  if (code == SQLITE_ROW && sqlite3_column_type(raw, 0) == SQLITE_INTEGER) {
    at_ms = sqlite3_column_int64(raw, 0) / kNanosecondsPerMillisecond;
  }
  const bool ok = code == SQLITE_ROW || code == SQLITE_DONE;
  Result<std::optional<std::int64_t>> result = at_ms;
  if (!ok) result = sqlite_error(connection_->raw());
  (*statement)->reset();
  return result;
}

Status AgentDatabase::set_alarm(std::optional<std::int64_t> at_ms) {
  if (!at_ms) {
    Result<bool> there = open_if_there();
    if (!there) return there.error();
    if (!*there) return {};
    if (Status status = look_for_tables(); !status) return status;
    if (!has_metadata_) return {};
  }
  if (Status status = ensure_metadata_table(); !status) return status;
  Result<Statement*> statement =
      own(at_ms ? "INSERT INTO _cf_METADATA VALUES (?1, ?2) "
                  "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
                : "DELETE FROM _cf_METADATA WHERE key = ?1");
  if (!statement) return statement.error();
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  sqlite3_bind_int(raw, 1, kAlarmKey);
  if (at_ms) sqlite3_bind_int64(raw, 2, *at_ms * kNanosecondsPerMillisecond);
  Status status =
      sqlite3_step(raw) == SQLITE_DONE ? Status() : Status(sqlite_error(connection_->raw()));
  (*statement)->reset();
  return status;
}

Result<std::int64_t> AgentDatabase::number(std::string_view sql) {
  Result<Statement*> statement = own(sql);
  if (!statement) return statement.error();
  Rules::Trusted trusted(connection_->rules());
  sqlite3_stmt* raw = (*statement)->raw();
  Result<std::int64_t> result = std::int64_t{0};
  if (sqlite3_step(raw) == SQLITE_ROW) {
    result = sqlite3_column_int64(raw, 0);
  } else {
    result = sqlite_error(connection_->raw());
  }
  (*statement)->reset();
  return result;
}

Result<std::int64_t> AgentDatabase::size_bytes() {
  Result<bool> there = open_if_there();
  if (!there) return there.error();
  if (!*there) return std::int64_t{0};
  return number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
}

}  // namespace hearth::storage
