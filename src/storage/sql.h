// SQL of user code: values in, a cursor out. Belongs to its database's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "storage/statement.h"

namespace hearth::storage {

struct Blob {
  std::string_view bytes;
};
// A parameter. JavaScript's numbers are bound as REAL, as on the platform.
using Parameter = std::variant<std::monostate, double, std::string_view, Blob>;

enum class ColumnType { kNull, kInteger, kReal, kText, kBlob };
enum class Step { kRow, kDone };

class AgentDatabase;

// The run of one statement. The row that the last `step` found can be read until the next one. It
// may outlive the turn's commit (SQLite lets a reader go on) but not the database's closing, which
// ends it.
class SqlCursor {
 public:
  ~SqlCursor();
  SqlCursor(const SqlCursor&) = delete;
  SqlCursor& operator=(const SqlCursor&) = delete;

  // After kDone the columns' names can still be read, until `finish`.
  Result<Step> step();
  // Ends the run: the statement is free for others. Also done when the cursor goes.
  void finish();
  // The statement, or null when the run is over; for its `attachment`.
  Statement* statement() { return statement_; }
  int prepares() const;

  int columns() const { return columns_; }
  std::string_view column_name(int column) const;
  ColumnType type(int column) const;
  double number(int column) const;
  std::string_view text(int column) const;
  std::string_view blob(int column) const;

  // Rows that the statement looked at: those it returned, or those a scan of the whole table passed
  // if more. Rows that it changed in tables (indexes are not counted, which on the platform they
  // are).
  std::int64_t rows_read() const { return rows_read_; }
  std::int64_t rows_written() const { return rows_written_; }

 private:
  friend class AgentDatabase;
  SqlCursor(AgentDatabase& database, Statement* cached, Statement own);
  void count();

  AgentDatabase* database_;
  Statement* statement_;  // in the cache, or `own_`
  Statement own_;
  int columns_ = 0;
  std::int64_t changes_before_ = 0;
  std::int64_t returned_ = 0;
  std::int64_t rows_read_ = 0;
  std::int64_t rows_written_ = 0;
};

}  // namespace hearth::storage
