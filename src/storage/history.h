// The history of one database: what point-in-time recovery goes back by. The log that SQLite writes
// anyway holds every page that a transaction changed, so nothing is added to a commit. Before a
// checkpoint lets SQLite overwrite the log, and now and then between, `archive` reads the log and
// appends to the history how the database was before: the bytes in which its older pages differ. So
// any state in the history is had by undoing from the present; the oldest part can be dropped.
//
// A restore is written as a log of one transaction that takes the database to the older state, and
// takes effect by being renamed into the log's place: it happens as a whole or not at all, and is a
// part of the history itself, so that it can be undone.
//
// Not told of: a database that something else wrote to. A digest of the whole database is kept
// along; a restore checks it before and after, and is refused where it is not what it was.
//
// Belongs to a Connection, which lets one thread at a time in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "storage/disk.h"
#include "storage/history_file.h"
#include "storage/write_ahead_log.h"

namespace hearth::storage {

struct HistoryOptions {
  std::int64_t keep_ms = 0;                      // 0: none is kept
  std::uint64_t bytes_least = 16 * 1024 * 1024;  // or as many as the database has, if more
  std::int64_t grid_ms = 10'000;  // while it is written to, a point at least so often
};

// A state that somebody wants to come back to: kept as a point of its own.
struct Wanted {
  static constexpr std::uint32_t kUnknown = 0xffff'ffff;
  // The last frame that it has. kUnknown: whatever an earlier process left in the log; `before` is
  // then this process's first frame, once it has written one.
  std::uint32_t frame = 0;
  std::uint32_t before = 0;
  std::int64_t at_ms = 0;
  std::optional<Point> point;  // once it is in the history
};

// The database file below the log, as the last checkpoint left it.
class DatabasePages {
 public:
  virtual ~DatabasePages() = default;
  virtual std::uint32_t page_bytes() = 0;
  virtual Result<std::uint32_t> count() = 0;
  // Zeros where it ends before.
  virtual Result<std::string> read(std::uint32_t number) = 0;
};

class History {
 public:
  History(std::string database_path, Disk& disk, HistoryOptions options);

  // Tells what the log holds up to frame `upto` (nullopt: all that is whole), which must be on the
  // disk. `last_ms` is when its last transaction ended. Fills what is wanted.
  Status archive(DatabasePages& database, Disk::File* log, std::optional<std::uint32_t> upto,
                 std::int64_t last_ms, std::vector<std::shared_ptr<Wanted>>& wanted);

  // ---- bookmarks; after `archive` ----
  std::string bookmark(const Point& point) const;
  // The end of the present epoch: what a restore at the next opening can be undone by.
  std::string bookmark_of_end() const;
  Point now() const { return tail_->end; }
  // kNotFound: nothing so old is kept.
  Result<Point> at_time(std::int64_t time_ms);
  // kInvalid: it is none, or of another object; kNotFound: it is not kept any more.
  Result<Point> find(std::string_view bookmark);
  Status sync_name() { return file_.sync_name(); }

  // Puts the log that takes the database back into the place of its own, which is empty. With a
  // failure it has not; its name is not synced.
  Status restore(DatabasePages& database, std::string_view bookmark);

  // The file that orders a restore at the next opening.
  static std::string order_path_of(const std::string& database) { return database + "-restore"; }
  static bool exists(const std::string& database_path, Disk& disk);
  static Status remove(const std::string& database_path, Disk& disk);
  // The bookmark of an object that never stored anything.
  static std::string bookmark_of_nothing(const std::string& database_path);

 private:
  struct Tail {
    Point end;
    std::uint64_t salts = 0;
    std::uint64_t sums = 0;
    std::uint32_t pages = 0;
    std::uint64_t digest = 0;
    std::optional<HistoryRecord> restored;
  };
  struct Target {
    Point point;
    bool end_of_epoch = false;
    bool matches(const Point& candidate) const;
  };

  Status load(DatabasePages& database);
  Status read_tail();
  Status begin(DatabasePages& database);
  Status check(DatabasePages& database);
  Result<std::uint64_t> digest_of(DatabasePages& database, std::uint32_t pages);
  bool knows_log() const;
  Status read_log(Disk::File& log, std::optional<std::uint32_t> upto);
  void settle_unknown(Wanted& wanted, std::uint32_t end) const;
  Status tell(DatabasePages& database, Disk::File& log, std::uint32_t upto, Point to);
  Result<std::string> older_page(DatabasePages& database, Disk::File& log, std::uint32_t number);
  Status bound();
  Result<Target> parse(std::string_view bookmark) const;
  Result<Point> search(const std::function<bool(const Point&)>& wanted, const std::string& missing);
  Result<std::uint64_t> undo(DatabasePages& database, const Target& target, LogWriter& scratch,
                             std::uint32_t* pages);
  std::int64_t keep_from_ms() const;

  const std::string path_;
  Disk& disk_;
  const HistoryOptions options_;
  HistoryFile file_;
  std::optional<Tail> tail_;
  std::optional<LogReader> log_;
  // The last frame of each page up to `indexed_`: what `tail_->end` has of it.
  std::unordered_map<std::uint32_t, std::uint32_t> index_;
  std::uint32_t indexed_ = 0;
};

}  // namespace hearth::storage
