#include "storage/connection.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "storage/sqlite_error.h"

namespace hearth::storage {

namespace {

// How long another process may hold the file (a host that is just ending) before that is an error.
constexpr int kBusyTimeoutMs = 1'000;
// <state>/do/<unique key>: the folders above an agent's that its first file may have made.
constexpr int kFolderLevels = 2;

Error system_error(const std::string& what) {
  return {ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

Status sync_path(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) return system_error("opening " + path + " to sync it");
  const int failed = ::fsync(descriptor);
  Status status = failed == 0 ? Status() : Status(system_error("syncing " + path));
  ::close(descriptor);
  return status;
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path) {
  std::unique_ptr<Connection> connection(new Connection(path));
  connection->created_ = !exists(path);
  if (connection->created_) {
    std::error_code error;
    connection->folder_created_ =
        std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (error)
      return Error{ErrorCode::kIo, "creating the folder of " + path + ": " + error.message()};
  }
  Status status = connection->set_up();
  if (!status) {
    Error error = status.error();
    error.message = "the database " + path + " cannot be opened: " + error.message;
    return error;
  }
  return connection;
}

Connection::~Connection() {
  // Without `close` nothing is checkpointed: the log remains, and the next opening replays it.
  if (raw_ != nullptr) {
    sqlite3_db_config(raw_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_close_v2(raw_);
  }
  if (log_descriptor_ >= 0) ::close(log_descriptor_);
}

Status Connection::set_up() {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  const int opened = sqlite3_open_v2(path_.c_str(), &raw_, flags, nullptr);
  if (raw_ == nullptr) return sqlite_error(opened);
  if (opened != SQLITE_OK) return sqlite_error(raw_);
  sqlite3_extended_result_codes(raw_, 1);
  sqlite3_busy_timeout(raw_, kBusyTimeoutMs);
  // A log that a crash left holds frames already: SQLite is to sync around its reuse from the
  // start.
  const bool log_left = exists(path_ + "-wal");
  // Exclusive before the first access: the log's index is then in memory, and no -shm file is made.
  for (const char* sql :
       {"PRAGMA locking_mode=EXCLUSIVE",
        log_left ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=OFF",
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
        connection->wrote_ = true;
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

Status Connection::sync() {
  if (log_descriptor_ < 0) {
    log_descriptor_ = ::open((path_ + "-wal").c_str(), O_RDWR | O_CLOEXEC);
    if (log_descriptor_ < 0) return system_error("opening " + path_ + "-wal to sync it");
  }
  if (::fdatasync(log_descriptor_) != 0) return system_error("syncing " + path_ + "-wal");
  if (created_) {
    if (Status status = sync_creation(); !status) return status;
    created_ = false;
  }
  return {};
}

Status Connection::sync_creation() {
  // Both files are there by now: the log was written to before anything is synced.
  if (Status status = sync_path(path_, O_RDONLY); !status) return status;
  std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  if (folder.empty()) folder = ".";
  if (Status status = sync_path(folder.string(), O_RDONLY | O_DIRECTORY); !status) return status;
  // Up to a folder that was there before: the state's own, which the core made.
  for (int level = 0; folder_created_ && level < kFolderLevels; ++level) {
    folder = folder.parent_path();
    if (folder.empty()) break;
    if (Status status = sync_path(folder.string(), O_RDONLY | O_DIRECTORY); !status) return status;
  }
  return {};
}

void Connection::checkpoint() {
  sqlite3_mutex* mutex = sqlite3_db_mutex(raw_);
  sqlite3_mutex_enter(mutex);
  if (sqlite3_txn_state(raw_, nullptr) == SQLITE_TXN_NONE && run("PRAGMA synchronous=NORMAL")) {
    int pages = 0;
    int moved = 0;
    if (sqlite3_wal_checkpoint_v2(raw_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved) ==
            SQLITE_OK &&
        pages == moved) {
      log_pages_ = 0;
    }
  }
  sqlite3_mutex_leave(mutex);
}

void Connection::close() {
  if (raw_ == nullptr) return;
  // SQLite checkpoints and removes the log when the last connection closes; it must sync for that.
  (void)run("PRAGMA synchronous=NORMAL").ok();
  if (sqlite3_close(raw_) != SQLITE_OK) sqlite3_close_v2(raw_);
  raw_ = nullptr;
}

}  // namespace hearth::storage
