#include "storage/copy.h"

#include <sqlite3.h>

#include <cstdio>
#include <memory>

#include "storage/sqlite_error.h"

namespace hearth::storage {

namespace {
constexpr int kAllPages = -1;

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
}  // namespace

Status copy_database(Connection& from, const std::string& to) {
  if (sqlite3_txn_state(from.raw(), "main") == SQLITE_TXN_WRITE) {
    return Error{ErrorCode::kConflict, "a transaction is open"};
  }
  std::remove(to.c_str());
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int opened = sqlite3_open_v2(to.c_str(), &raw, flags, nullptr);
  const std::unique_ptr<sqlite3, CloseDatabase> copy(raw);
  if (opened != SQLITE_OK) return Error{ErrorCode::kIo, to + ": " + sqlite_error(opened).message};
  sqlite3_exec(raw, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF", nullptr, nullptr, nullptr);
  sqlite3_backup* backup = sqlite3_backup_init(raw, "main", from.raw(), "main");
  if (backup == nullptr) return sqlite_error(raw);
  const int step = sqlite3_backup_step(backup, kAllPages);
  const int finished = sqlite3_backup_finish(backup);
  if (step == SQLITE_DONE && finished == SQLITE_OK) return {};
  const Error error = sqlite_error(finished != SQLITE_OK ? finished : step);
  std::remove(to.c_str());
  if (step == SQLITE_BUSY || step == SQLITE_LOCKED)
    return Error{ErrorCode::kConflict, error.message};
  return Error{ErrorCode::kIo, to + ": " + error.message};
}

}  // namespace hearth::storage
