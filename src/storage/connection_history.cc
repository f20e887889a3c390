// What a Connection does for the history of its database.
#include <sqlite3.h>

#include <mutex>
#include <utility>

#include "storage/connection.h"
#include "storage/sqlite_error.h"

namespace hearth::storage {

namespace {

// A log that the history could not be told of is kept, up to this many pages; then the history is
// given up, for the database must go on.
constexpr int kLogPagesForced = 16 * 1024;
constexpr std::size_t kHeaderBytes = 100;

}  // namespace

// By SQLite's own descriptor: to close another one would give up SQLite's locks on the file.
class Connection::Pages : public DatabasePages {
 public:
  explicit Pages(Connection& connection) : connection_(connection) {}

  std::uint32_t page_bytes() override {
    if (page_bytes_ != 0) return page_bytes_;
    std::string header(kHeaderBytes, '\0');
    if (!fill(header, 0)) return 0;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(header[at]); };
    page_bytes_ = static_cast<std::uint32_t>(byte(16) << 8 | byte(17));
    if (page_bytes_ == 1) page_bytes_ = 65'536;
    return page_bytes_;
  }
  Result<std::uint32_t> count() override {
    sqlite3_int64 size = 0;
    sqlite3_file* file = connection_.file();
    const int code = file->pMethods->xFileSize(file, &size);
    if (code != SQLITE_OK) return sqlite_error(code);
    if (size == 0) return std::uint32_t{0};
    if (page_bytes() == 0) return Error{ErrorCode::kCorrupt, "the database has no page size"};
    return static_cast<std::uint32_t>(size / page_bytes());
  }
  Result<std::string> read(std::uint32_t number) override {
    if (page_bytes() == 0) return Error{ErrorCode::kCorrupt, "the database has no page size"};
    std::string page(page_bytes(), '\0');
    if (Status status = fill(page, std::int64_t{number - 1} * page_bytes()); !status) {
      return status.error();
    }
    return page;
  }

 private:
  Status fill(std::string& bytes, std::int64_t at) {
    sqlite3_mutex* mutex = sqlite3_db_mutex(connection_.raw());
    sqlite3_mutex_enter(mutex);
    sqlite3_file* file = connection_.file();
    const int code = file->pMethods->xRead(file, bytes.data(), static_cast<int>(bytes.size()), at);
    sqlite3_mutex_leave(mutex);
    if (code == SQLITE_OK || code == SQLITE_IOERR_SHORT_READ) return {};  // the rest is zeros
    return sqlite_error(code);
  }

  Connection& connection_;
  std::uint32_t page_bytes_ = 0;
};

Status Connection::archive_now(Recovery::Scope scope) {
  if (commit_failed_) {
    return Error{ErrorCode::kIo, "the log of " + path_ + " cannot be trusted"};
  }
  Disk::File* log = nullptr;
  if (disk_.exists(path_ + "-wal")) {
    if (Status status = mend_log(); !status) return status;
    if (Status status = open_log(); !status) return status;
    // The history must not know more than the log has after a power cut.
    if (Status status = log_->sync_data(); !status) {
      log_lost_ = log_doubtful_ = true;
      return status;
    }
    if (!names_synced_) {
      if (Status status = sync(); !status) return status;
    }
    log = log_.get();
  }
  Pages pages(*this);
  Status status = recovery_.archive(scope, pages, log, committed_frames());
  if (status || status.error().code != ErrorCode::kCorrupt) return status;
  // What is damaged is of no use any more.
  if (Status dropped = recovery_.drop(); !dropped) return dropped;
  return recovery_.archive(scope, pages, log, committed_frames());
}

bool Connection::archived() {
  if (commit_failed_) return false;
  const bool nothing = frames_known_ && log_pages_ == 0;
  if (nothing) return true;
  if (!recovery_.on()) {
    return !History::exists(path_, disk_) || recovery_.drop().ok();
  }
  if (archive_now(Recovery::Scope::kEverything)) return true;
  return log_pages_ >= kLogPagesForced && recovery_.drop().ok();
}

void Connection::archive() {
  std::lock_guard lock(recovery_.mutex());
  if (raw_ != nullptr && recovery_.on()) (void)archive_now(Recovery::Scope::kWanted).ok();
}

bool Connection::restored() {
  if (!Recovery::ordered(path_, disk_)) return false;
  const auto failed = [&](const std::string& why, const std::string& also = "") {
    restore_status_ =
        Error{ErrorCode::kConflict, "the restore that was ordered cannot be done: " + why +
                                        "; remove " + History::order_path_of(path_) + also +
                                        " to go on with what is there"};
    return false;
  };
  if (!recovery_.on()) return failed("no history is kept (--history 0)");
  if (!move_log()) return failed("its log could not be moved into the database");
  Pages pages(*this);
  Status status = recovery_.obey(pages);
  if (status) return true;
  const bool useless = status.error().code == ErrorCode::kCorrupt;
  return failed(status.error().message,
                useless ? " and " + HistoryFile::path_of(path_) + "*" : std::string());
}

// ---- bookmarks --------------------------------------------------------------------------------

Result<std::string> Connection::bookmark(const std::shared_ptr<Wanted>& wanted) {
  std::lock_guard lock(recovery_.mutex());
  if (raw_ == nullptr) return Error{ErrorCode::kCancelled, "the database was closed"};
  if (Status status = sync(); !status) return status.error();  // also the file's name
  if (!wanted->point) {
    if (Status status = archive_now(Recovery::Scope::kWanted); !status) return status.error();
  }
  if (!wanted->point) return Error{ErrorCode::kIo, "the history could not be written"};
  if (Status status = recovery_.history().sync_name(); !status) return status.error();
  return recovery_.history().bookmark(*wanted->point);
}

Result<std::string> Connection::bookmark_at(std::int64_t time_ms) {
  std::lock_guard lock(recovery_.mutex());
  if (raw_ == nullptr) return Error{ErrorCode::kCancelled, "the database was closed"};
  if (Status status = sync(); !status) return status.error();
  if (Status status = archive_now(Recovery::Scope::kEverything); !status) return status.error();
  const Result<Point> point = recovery_.history().at_time(time_ms);
  if (!point) return point.error();
  return recovery_.history().bookmark(*point);
}

Result<std::string> Connection::restore_next(std::string_view bookmark) {
  std::lock_guard lock(recovery_.mutex());
  if (raw_ == nullptr) return Error{ErrorCode::kCancelled, "the database was closed"};
  if (Status status = sync(); !status) return status.error();
  if (Status status = archive_now(Recovery::Scope::kEverything); !status) return status.error();
  const Result<Point> point = recovery_.history().find(bookmark);
  if (!point) return point.error();
  if (Status status = recovery_.history().sync_name(); !status) return status.error();
  restore_ordered_ = true;
  if (Status status = recovery_.order(bookmark); !status) return status.error();
  return recovery_.history().bookmark_of_end();
}

}  // namespace hearth::storage
