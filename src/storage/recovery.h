// Point-in-time recovery of one open database: which states are to be kept, and the file
// `<database>-restore`, which says that the next opening is to begin with a restore. What it costs
// an agent: a look at the clock at each commit; the rest is the syncer's work.
//
// `note_commit`, `take_due` and `want` are for the owner's thread; everything else for whoever
// holds `mutex()`, which is never waited for on the owner's thread but at a forced checkpoint.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/history.h"

namespace hearth::storage {

class Recovery {
 public:
  Recovery(std::string database_path, Disk& disk, HistoryOptions options);

  bool on() const { return options_.keep_ms > 0; }
  std::mutex& mutex() { return mutex_; }

  // ---- the owner's thread ----
  // The log has `frames` frames now.
  void note_commit(std::uint32_t frames);
  // A state is to be kept that is not the last: `archive` has something to do.
  bool take_due();
  // The state as it is. `frames`: of the log, where this process knows.
  std::shared_ptr<Wanted> want(std::optional<std::uint32_t> frames);

  // ---- with the mutex held ----
  enum class Scope { kWanted, kEverything };
  // `frames`: of the log that are committed; nullopt: an earlier process wrote them.
  Status archive(Scope scope, DatabasePages& database, Disk::File* log,
                 std::optional<std::uint32_t> frames);
  // Gives up what is kept: it could not be gone on with, or none is to be kept any more.
  Status drop();
  History& history() { return *history_; }

  // ---- the restore to come ----
  static bool ordered(const std::string& database, Disk& disk) {
    return disk.exists(History::order_path_of(database));
  }
  // The next opening begins with the state of the bookmark, once this returns ok.
  Status order(std::string_view bookmark);
  // Does what was ordered. With ok the log, which was empty, is another one, and must be left
  // alone; the next opening may find that it has to do the same once more.
  Status obey(DatabasePages& database);

 private:
  const std::string path_;
  Disk& disk_;
  const HistoryOptions options_;
  std::unique_ptr<History> history_;
  std::mutex mutex_;

  std::mutex wanted_mutex_;
  std::vector<std::shared_ptr<Wanted>> wanted_;
  std::int64_t last_ms_ = 0;  // of the last commit

  // The owner's thread's.
  std::uint32_t last_frames_ = 0;
  std::int64_t kept_ms_ = 0;
  bool wrote_ = false;
  bool due_ = false;
};

}  // namespace hearth::storage
