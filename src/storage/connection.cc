#include "storage/connection.h"

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "storage/sqlite_error.h"

namespace hearth::storage {

namespace {

// How long another process may hold the file (a host that is just ending) before that is an error.
constexpr int kBusyTimeoutMs = 1'000;
// What SQLite writes of a new database before there is a log; all that follows is moved there by
// checkpoints, which sync it.
constexpr std::uint64_t kYoungBytes = 4096;
constexpr std::size_t kHeaderBytes = 100;
// <state>/do/<unique key>: the folders above an agent's that its first file may have made.
constexpr int kFolderLevels = 2;

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Disk& disk,
                                                     HistoryOptions history) {
  if (!disk.exists(path)) {
    if (Status made = disk.make_folders(folder_of(path)); !made) return made.error();
  }
  Status status;
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::unique_ptr<Connection> connection(new Connection(path, disk, history));
    status = connection->set_up();
    // Looked for with the file locked: a host that is just ending may have done it.
    if (status && Recovery::ordered(path, disk)) {
      connection->close();
      status = connection->restore_status_;
      if (!status) break;
      connection.reset(new Connection(path, disk, history));
      status = connection->set_up();
    }
    if (status) return connection;
    if (status.error().code != ErrorCode::kCorrupt || !connection->never_begun()) break;
    connection.reset();
    if (status = disk.remove(path + "-wal"); !status) break;
    if (status = disk.remove(path); !status) break;
  }
  return Error{status.error().code,
               "the database " + path + " cannot be opened: " + status.error().message};
}

// A power cut can leave a new file with its size and without its first sector. It was never synced,
// so nothing in it was ever acknowledged, and it is as good as none.
bool Connection::never_begun() const {
  const std::string head = disk_.head(path_, kHeaderBytes);
  return young_ && head.find_first_not_of('\0') == std::string::npos;
}

Connection::~Connection() {
  // Without `close` nothing is checkpointed: the log remains, and the next opening replays it.
  if (raw_ != nullptr) {
    sqlite3_db_config(raw_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_close_v2(raw_);
  }
}

Status Connection::set_up() {
  const std::optional<std::uint64_t> size = disk_.size_of(path_);
  young_ = !size || *size <= kYoungBytes;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  const int opened = sqlite3_open_v2(path_.c_str(), &raw_, flags, disk_.vfs());
  if (raw_ == nullptr) return sqlite_error(opened);
  if (opened != SQLITE_OK) return sqlite_error(raw_);
  sqlite3_extended_result_codes(raw_, 1);
  sqlite3_busy_timeout(raw_, kBusyTimeoutMs);
  // A log that a crash left holds frames already: SQLite is to sync around its reuse from the
  // start.
  log_left_ = disk_.exists(path_ + "-wal");
  unsynced_ = log_doubtful_ = log_left_;
  frames_known_ = !log_left_;
  // Exclusive before the first access: the log's index is then in memory, and no -shm file is made.
  for (const char* sql :
       {"PRAGMA locking_mode=EXCLUSIVE",
        log_left_ ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=OFF",
        "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "PRAGMA secure_delete=OFF",
        "PRAGMA foreign_keys=ON", "PRAGMA cache_size=-1024", "PRAGMA temp_store=MEMORY"}) {
    if (Status status = run(sql); !status) return status;
  }
  sqlite3_db_config(raw_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_wal_hook(
      raw_,
      [](void* self, sqlite3*, const char*, int pages) {
        auto* connection = static_cast<Connection*>(self);
        connection->log_pages_ = pages;
        connection->frames_known_ = true;
        connection->wrote_ = true;
        connection->recovery_.note_commit(static_cast<std::uint32_t>(pages));
        return SQLITE_OK;
      },
      this);
  rules_.install(raw_);
  return {};
}

Status Connection::run(const char* sql) {
  Rules::Trusted trusted(rules_);
  if (sqlite3_exec(raw_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return sqlite_error(raw_);
  return {};
}

sqlite3_file* Connection::file() const {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(raw_, nullptr, SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  return file;
}

Status Connection::open_log() {
  std::lock_guard lock(log_mutex_);
  if (log_) return {};
  Result<std::unique_ptr<Disk::File>> opened = disk_.open(path_ + "-wal");
  if (!opened) return opened.error();
  log_ = std::move(*opened);
  return {};
}

Status Connection::mend_log() {
  if (!log_doubtful_) return {};
  if (Status status = open_log(); !status) return status;
  // Nobody else may write to it meanwhile.
  sqlite3_mutex_enter(sqlite3_db_mutex(raw_));
  Status status = log_->rewrite();
  sqlite3_mutex_leave(sqlite3_db_mutex(raw_));
  log_doubtful_ = !status.ok();
  return status;
}

Status Connection::sync() {
  if (Status status = sync_files(); !status) return status;
  for (const std::string& folder : unsynced_folders()) {
    if (Status status = disk_.sync_folder(folder); !status) return status;
  }
  folders_synced();
  return {};
}

Status Connection::sync_files() {
  if (log_lost_) return Error{ErrorCode::kIo, "an earlier sync of " + path_ + "-wal failed"};
  if (Status status = mend_log(); !status) return status;
  if (Status status = open_log(); !status) return status;
  if (Status status = log_->sync_data(); !status) {
    log_lost_ = log_doubtful_ = true;
    return status;
  }
  if (names_synced_) {
    unsynced_ = false;
  } else if (young_ || log_left_) {
    // A young file may have been made by a process that died before its first sync.
    // By SQLite's own descriptor: to open and close another gives up the locks on the file.
    const int code = file()->pMethods->xSync(file(), SQLITE_SYNC_NORMAL);
    if (code != SQLITE_OK) return sqlite_error(code);
  }
  return {};
}

std::vector<std::string> Connection::unsynced_folders() const {
  if (names_synced_) return {};
  std::vector<std::string> folders{folder_of(path_)};
  // Up to a folder that was there before: the state's own, which the core made.
  for (int level = 0; young_ && level < kFolderLevels; ++level) {
    folders.push_back(folder_of(folders.back()));
  }
  return folders;
}

void Connection::folders_synced() {
  names_synced_ = true;
  unsynced_ = false;
}

bool Connection::move_log() {
  int pages = 0;
  int moved = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(raw_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
  if (code == SQLITE_IOERR_FSYNC) log_lost_ = log_doubtful_ = true;
  if (code != SQLITE_OK || pages != moved) return false;
  log_pages_ = 0;
  frames_known_ = true;
  return true;
}

void Connection::checkpoint() {
  std::lock_guard lock(recovery_.mutex());
  // Most of it while statements may run; the rest, which is little, while none does.
  if (!archived()) return;
  sqlite3_mutex* mutex = sqlite3_db_mutex(raw_);
  sqlite3_mutex_enter(mutex);
  if (!log_lost_ && sqlite3_txn_state(raw_, nullptr) == SQLITE_TXN_NONE && mend_log() &&
      archived() && run("PRAGMA synchronous=NORMAL")) {
    (void)move_log();
  }
  sqlite3_mutex_leave(mutex);
}

void Connection::close() {
  if (raw_ == nullptr) return;
  std::lock_guard lock(recovery_.mutex());
  // SQLite checkpoints and removes the log when the last connection closes; it must sync for that,
  // and the sync must mean something. Otherwise the log stays for the next opening.
  const bool whole = mend_log().ok() && archived() && run("PRAGMA synchronous=NORMAL").ok();
  const bool leave = !whole || restored();
  sqlite3_db_config(raw_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leave ? 1 : 0, nullptr);
  if (sqlite3_close(raw_) != SQLITE_OK) sqlite3_close_v2(raw_);
  raw_ = nullptr;
}

}  // namespace hearth::storage
