// One agent's database: key-value pairs, SQL and the alarm in one SQLite file, in the tables that
// workerd uses, so that files can be taken along both ways:
//   _cf_KV(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID
//   _cf_METADATA(key INTEGER PRIMARY KEY, value BLOB): the alarm at key 1, in nanoseconds since the
//   epoch.
// The file is opened by the first call that needs it; reading from an agent that has stored nothing
// makes none. Everything written between two `commit_turn`s is one transaction. A commit is durable
// only when a Syncer has synced it: the owner's business. Belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/connection.h"
#include "storage/sql.h"
#include "storage/statement.h"

namespace hearth::storage {

struct ListOptions {
  std::optional<std::string_view> start = std::nullopt;        // from this key on
  std::optional<std::string_view> start_after = std::nullopt;  // after this key
  std::optional<std::string_view> end = std::nullopt;          // before this key
  std::optional<std::string_view> prefix = std::nullopt;
  bool reverse = false;
  std::optional<std::uint64_t> limit = std::nullopt;
};

class AgentDatabase {
 public:
  // Called before a file is opened (the syncer may still be closing it).
  using BeforeOpen = std::function<void(const std::string& path)>;

  explicit AgentDatabase(std::string path, BeforeOpen before_open = {}, Disk& disk = system_disk(),
                         HistoryOptions history = {});
  ~AgentDatabase();
  AgentDatabase(const AgentDatabase&) = delete;
  AgentDatabase& operator=(const AgentDatabase&) = delete;

  const std::string& path() const { return path_; }
  // Opens it, and makes the file if there is none.
  Status open();
  Result<bool> open_if_there();  // false: there is none
  // Null before the first use.
  const std::shared_ptr<Connection>& connection() const { return connection_; }

  // ---- key-value; keys are in the order of their UTF-8 bytes ----
  // Whether the key is there; `found` gets a view of its value, valid during the call.
  Result<bool> get(std::string_view key, const std::function<void(std::string_view)>& found);
  Status put(std::string_view key, std::string_view value);
  Result<bool> remove(std::string_view key);
  Status list(const ListOptions& options,
              const std::function<void(std::string_view key, std::string_view value)>& each);
  // Every key and every table, view and trigger of user code; with `alarm` the alarm too.
  Status delete_all(bool alarm);

  // ---- the alarm, in milliseconds since the epoch ----
  Result<std::optional<std::int64_t>> alarm();
  Status set_alarm(std::optional<std::int64_t> at_ms);

  // ---- SQL ----
  // Runs all statements of `sql` but the last, to which the parameters belong, and begins that one.
  // The first row is found already when the cursor is returned.
  struct Execution {
    std::unique_ptr<SqlCursor> cursor;
    Step first = Step::kDone;
  };
  Result<Execution> exec(std::string_view sql, std::span<const Parameter> parameters);
  // Bytes of the database, as of this turn; 0 when there is no file.
  Result<std::int64_t> size_bytes();

  // ---- transactions ----
  Status begin();
  Status commit();
  Status rollback();
  int depth() const { return depth_; }

  // Something may have been written since the last `commit_turn`.
  bool dirty() const { return in_turn_; }
  enum class Turn { kNothing, kOpen, kCommitted };
  // Commits what the turn wrote. kOpen while an explicit transaction is open: it is not over yet.
  // After an error nothing of the turn remains.
  Result<Turn> commit_turn();
  // Drops what the turn wrote.
  void abandon();

  // Ends the runs of all cursors: nothing holds the log's older frames any more.
  void end_cursors();

  // Nothing is under way, and nobody would notice if the file were closed and opened anew.
  bool at_rest() const {
    return connection_ && !in_turn_ && cursors_.empty() && !connection_->rules().remembers() &&
           !connection_->restore_ordered();
  }

  // Ends all cursors, drops what is not committed, and hands the connection over for closing; null
  // if the file was never opened. The next use opens it anew.
  std::shared_ptr<Connection> release();

 private:
  friend class SqlCursor;

  Status look_for_tables();
  Status ensure_turn();
  Status lost_turn();  // ok, or why the turn's transaction is no more
  Status ensure_kv_table();
  Status ensure_metadata_table();
  Result<Statement*> own(std::string_view sql);  // a statement of ours, from the cache
  Status run(std::string_view sql);              // one without rows or parameters
  Result<Statement> prepare(std::string_view sql, std::string_view* rest);
  // Runs `step`, which alters a table, and undoes it if a table has a name of ours afterwards.
  Result<Step> guard_names(const std::function<Result<Step>()>& step);
  Status ensure_turn_for(const Statement& statement);
  // The first statement of `*sql`, which is moved to the next.
  Result<Statement> prepare_next(std::string_view* sql);
  // Runs every statement but the last and gives that one; `*alone`: there was no other.
  Result<Statement> run_all_but_last(std::string_view sql, bool* alone);
  Result<std::int64_t> number(std::string_view sql);  // of ours, one row of one number
  Status run_all(Statement statement);                // to its end, rows unseen
  Status drop_everything();

  std::string path_;
  BeforeOpen before_open_;
  Disk& disk_;
  const HistoryOptions history_;
  std::shared_ptr<Connection> connection_;
  StatementCache own_statements_;
  StatementCache statements_;
  std::vector<SqlCursor*> cursors_;  // those whose run is not over
  bool in_turn_ = false;
  int depth_ = 0;
  // Whether the table is there; a rollback may have taken it away.
  bool tables_known_ = false;
  bool has_kv_ = false;
  bool has_metadata_ = false;
};

}  // namespace hearth::storage
