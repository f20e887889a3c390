#include "storage/sql.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "storage/agent_database.h"
#include "storage/sqlite_error.h"

namespace hearth::storage {

namespace {

constexpr char kNoStatement[] = "SQL code did not contain a statement.";

// Skips what separates statements: space, comments, semicolons.
std::string_view skip_blank(std::string_view sql) {
  while (!sql.empty()) {
    const char c = sql.front();
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == ';') {
      sql.remove_prefix(1);
    } else if (sql.starts_with("--")) {
      const std::size_t end = sql.find('\n');
      sql.remove_prefix(end == std::string_view::npos ? sql.size() : end);
    } else if (sql.starts_with("/*")) {
      const std::size_t end = sql.find("*/", 2);
      sql.remove_prefix(end == std::string_view::npos ? sql.size() : end + 2);
    } else {
      break;
    }
  }
  return sql;
}

int bind(sqlite3_stmt* raw, int index, const Parameter& parameter) {
  if (const auto* number = std::get_if<double>(&parameter)) {
    return sqlite3_bind_double(raw, index, *number);
  }
  // Copied by SQLite: a cursor may outlive the call that gave them.
  if (const auto* text = std::get_if<std::string_view>(&parameter)) {
    return sqlite3_bind_text64(raw, index, text->data() == nullptr ? "" : text->data(),
                               text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<Blob>(&parameter)) {
    const char* bytes = blob->bytes.data() == nullptr ? "" : blob->bytes.data();
    return sqlite3_bind_blob64(raw, index, bytes, blob->bytes.size(), SQLITE_TRANSIENT);
  }
  return sqlite3_bind_null(raw, index);
}

}  // namespace

Result<Step> AgentDatabase::guard_names(const std::function<Result<Step>()>& step) {
  constexpr std::string_view kOurs =
      "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_cf\\_%' ESCAPE '\\'";
  if (Status status = begin(); !status) return status.error();
  Result<std::int64_t> before = number(kOurs);
  Result<Step> result = step();
  Result<std::int64_t> after = number(kOurs);
  const bool named = before && after && *before != *after;
  Status ended = result && !named ? commit() : rollback();
  if (named) return Error{ErrorCode::kInvalid, "not authorized: SQLITE_AUTH"};
  if (result && !ended) return ended.error();
  return result;
}

Status AgentDatabase::ensure_turn_for(const Statement& statement) {
  return statement.read_only() && !statement.wants_transaction ? Status() : ensure_turn();
}

Result<Statement> AgentDatabase::prepare_next(std::string_view* sql) {
  Rules& rules = connection_->rules();
  rules.reset();
  Result<Statement> prepared = prepare(*sql, sql);
  if (!prepared) {
    if (rules.tried_transaction()) return Error{ErrorCode::kInvalid, kTransactionRefusal};
    return prepared.error();
  }
  if (!*prepared) return Error{ErrorCode::kInvalid, kNoStatement};  // SQLite stops at a NUL
  prepared->wants_transaction = rules.wants_transaction();
  prepared->alters = rules.alters();
  *sql = skip_blank(*sql);
  return prepared;
}

Result<Statement> AgentDatabase::run_all_but_last(std::string_view sql, bool* alone) {
  *alone = true;
  std::string_view rest = skip_blank(sql);
  for (;; *alone = false) {
    if (rest.empty()) return Error{ErrorCode::kInvalid, kNoStatement};
    Result<Statement> statement = prepare_next(&rest);
    if (!statement || rest.empty()) return statement;
    if (sqlite3_bind_parameter_count(statement->raw()) > 0) {
      return Error{ErrorCode::kInvalid,
                   "When executing multiple SQL statements in a single call, only the last "
                   "statement can have parameters."};
    }
    if (Status status = ensure_turn_for(*statement); !status) return status.error();
    const bool alters = statement->alters;
    const std::function<Result<Step>()> run = [&]() -> Result<Step> {
      Status status = run_all(std::move(*statement));
      if (!status) return status.error();
      return Step::kDone;
    };
    if (Result<Step> ran = alters ? guard_names(run) : run(); !ran) return ran.error();
  }
}

Result<AgentDatabase::Execution> AgentDatabase::exec(std::string_view sql,
                                                     std::span<const Parameter> parameters) {
  if (Status status = open(); !status) return status.error();
  const std::int64_t changes_before = sqlite3_total_changes64(connection_->raw());
  Statement* cached = statements_.find(sql);
  const bool known = cached != nullptr;
  Statement own;
  if (!known || cached->in_use) {
    bool alone = false;
    Result<Statement> last = run_all_but_last(sql, &alone);
    if (!last) return last.error();
    own = std::move(*last);
    // `keep` leaves `own` as it was when there is no room.
    cached = alone && !known ? statements_.keep(sql, std::move(own)) : nullptr;
  }
  std::unique_ptr<SqlCursor> cursor(new SqlCursor(*this, cached, std::move(own)));
  cursor->changes_before_ = changes_before;
  Statement& statement = *cursor->statement_;
  sqlite3_stmt* raw = statement.raw();
  if (sqlite3_bind_parameter_count(raw) != static_cast<int>(parameters.size())) {
    return Error{ErrorCode::kInvalid, "Wrong number of parameter bindings for SQL query."};
  }
  if (Status status = ensure_turn_for(statement); !status) return status.error();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (bind(raw, static_cast<int>(i) + 1, parameters[i]) != SQLITE_OK) {
      return sqlite_error(connection_->raw());
    }
  }
  Result<Step> first =
      statement.alters ? guard_names([&] { return cursor->step(); }) : cursor->step();
  if (!first) return first.error();
  return Execution{std::move(cursor), *first};
}

SqlCursor::SqlCursor(AgentDatabase& database, Statement* cached, Statement own)
    : database_(&database), statement_(cached), own_(std::move(own)) {
  if (statement_ == nullptr) statement_ = &own_;
  statement_->in_use = true;
  database_->cursors_.push_back(this);
}

SqlCursor::~SqlCursor() {
  finish();
}

void SqlCursor::count() {
  sqlite3_stmt* raw = statement_->raw();
  const std::int64_t scanned = sqlite3_stmt_status(raw, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
  rows_read_ = std::max(returned_, scanned > 0 ? scanned + 1 : 0);
  if (!statement_->read_only()) {
    rows_written_ = sqlite3_total_changes64(database_->connection_->raw()) - changes_before_;
    rows_read_ = scanned > 0 ? scanned + 1 : 0;
  }
}

void SqlCursor::finish() {
  if (statement_ == nullptr) return;
  count();
  sqlite3_stmt_status(statement_->raw(), SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
  statement_->reset();
  statement_->in_use = false;
  statement_ = nullptr;
  own_ = Statement();
  std::erase(database_->cursors_, this);
}

Result<Step> SqlCursor::step() {
  if (statement_ == nullptr) return Step::kDone;
  sqlite3_stmt* raw = statement_->raw();
  const int code = sqlite3_step(raw);
  if (code == SQLITE_ROW) {
    ++returned_;
    columns_ = sqlite3_column_count(raw);
    count();
    return Step::kRow;
  }
  columns_ = sqlite3_column_count(raw);
  if (code == SQLITE_DONE) return Step::kDone;  // `finish` is the caller's, who may want the names
  Error error = sqlite_error(database_->connection_->raw());
  finish();
  return error;
}

int SqlCursor::prepares() const {
  return sqlite3_stmt_status(statement_->raw(), SQLITE_STMTSTATUS_REPREPARE, 0);
}

std::string_view SqlCursor::column_name(int column) const {
  const char* name = sqlite3_column_name(statement_->raw(), column);
  return name == nullptr ? std::string_view{} : name;
}

ColumnType SqlCursor::type(int column) const {
  switch (sqlite3_column_type(statement_->raw(), column)) {
    case SQLITE_INTEGER:
      return ColumnType::kInteger;
    case SQLITE_FLOAT:
      return ColumnType::kReal;
    case SQLITE_TEXT:
      return ColumnType::kText;
    case SQLITE_BLOB:
      return ColumnType::kBlob;
    default:
      return ColumnType::kNull;
  }
}

double SqlCursor::number(int column) const {
  // An integer past 2^53 loses its last digits, as on the platform.
  return sqlite3_column_double(statement_->raw(), column);
}

std::string_view SqlCursor::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_->raw(), column));
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_->raw(), column))};
}

std::string_view SqlCursor::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_->raw(), column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_->raw(), column))};
}

}  // namespace hearth::storage
