// One open database file: SQLite's connection, and a descriptor of its write-ahead log for making
// commits durable. Shared by the JavaScript thread, which runs statements, and the syncer's thread,
// which syncs the log, checkpoints it and at last closes the connection; SQLite's own mutex of the
// connection serialises the two.
//
// How durability is had: SQLite itself never syncs while the log is young (synchronous=OFF), and
// the syncer's fdatasync of the log is what makes a commit durable. That is safe as long as the log
// has no older frames: it is new, or was emptied by a checkpoint at close. From the first
// checkpoint on the log is overwritten from its start, and SQLite syncs around that by itself
// (synchronous=NORMAL, which costs a sync once per checkpoint). The log is a new file at each
// opening, so the first sync makes its name durable too: without it a power cut could take away the
// whole log, synced as it is. The same sync covers what an earlier process wrote and did not live
// to sync.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "storage/disk.h"
#include "storage/recovery.h"
#include "storage/rules.h"

struct sqlite3;
struct sqlite3_file;

namespace hearth::storage {

class Connection {
 public:
  // Opens the file, or creates it and its folder. kCorrupt for a file that is no database: it is
  // left as it is. A restore that was ordered is done first.
  static Result<std::unique_ptr<Connection>> open(const std::string& path,
                                                  Disk& disk = system_disk(),
                                                  HistoryOptions history = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* raw() const { return raw_; }
  const std::string& path() const { return path_; }
  Rules& rules() { return rules_; }

  // Pages in the log, as of the last commit; and whether there was one since the last `take`.
  int log_pages() const { return log_pages_; }
  bool take_wrote() { return std::exchange(wrote_, false); }

  // Something was found in the file that a power cut may still take: an earlier process wrote it
  // and died before it was synced. Until the first `sync`.
  bool unsynced() const { return unsynced_; }
  // An earlier process died with the file open, or it was restored: what is known of it elsewhere
  // (its alarm) may not be true any more.
  bool log_left() const { return log_left_; }

  // A commit failed: what the log ends with is found out by the next opening, as after a crash.
  void note_failed_commit() { commit_failed_ = true; }
  // The history has something to do off this thread; true once.
  bool archive_due() { return recovery_.take_due(); }
  bool keeps_history() const { return recovery_.on(); }
  // The file is to be closed only when its owner's life ends: the next opening begins otherwise.
  bool restore_ordered() const { return restore_ordered_; }
  // The state after the last commit, for `bookmark`.
  std::shared_ptr<Wanted> want() { return recovery_.want(committed_frames()); }

  // ---- the syncer's thread ----
  // Everything that is committed so far survives a power cut once this returns ok.
  Status sync();
  // The same in two steps, so that those who share folders sync them once for all: the files; then
  // `unsynced_folders`, if there are any, which the caller syncs and says so.
  Status sync_files();
  std::vector<std::string> unsynced_folders() const;
  void folders_synced();
  Disk& disk() const { return disk_; }
  // Moves the log into the database file. Does nothing while a transaction is open.
  void checkpoint();
  // Checkpoints, empties the log and closes. No log file remains, but for that of a restore.
  void close();
  // Tells the history what `archive_due` was about.
  void archive();

  // ---- bookmarks, the syncer's thread (storage/history.h) ----
  Result<std::string> bookmark(const std::shared_ptr<Wanted>& wanted);
  Result<std::string> bookmark_at(std::int64_t time_ms);
  // The next opening begins with that state; gives the bookmark that undoes it.
  Result<std::string> restore_next(std::string_view bookmark);

 private:
  class Pages;

  Connection(std::string path, Disk& disk, HistoryOptions history)
      : path_(std::move(path)), disk_(disk), recovery_(path_, disk, history) {}
  Status set_up();
  bool never_begun() const;
  Status open_log();
  // What the log holds can be brought to the disk by a sync again.
  Status mend_log();
  Status run(const char* sql);
  sqlite3_file* file() const;
  std::optional<std::uint32_t> committed_frames() const {
    if (!frames_known_) return std::nullopt;
    return static_cast<std::uint32_t>(log_pages_.load());
  }
  // All that is committed is in the history; with the recovery's mutex held.
  Status archive_now(Recovery::Scope scope);
  // The same, and whether the log may be overwritten now.
  bool archived();
  bool move_log();  // into the database; all of it
  // A restore that was ordered: false, and nothing done, without one or when it failed.
  bool restored();

  std::string path_;
  Disk& disk_;
  Recovery recovery_;
  Rules rules_;
  sqlite3* raw_ = nullptr;
  std::mutex log_mutex_;
  std::unique_ptr<Disk::File> log_;
  std::atomic<bool> names_synced_ = false;  // that of the log, at least
  std::atomic<bool> log_lost_ = false;      // a sync failed: the agent is to be reset
  // A sync of the log failed, here or for all we know in the process that left it: until it has
  // been written anew, a sync says nothing of what it holds.
  std::atomic<bool> log_doubtful_ = false;
  bool log_left_ = false;  // an earlier process died with the file open
  bool young_ = false;     // the file itself may never have been synced, nor its folders
  std::atomic<bool> unsynced_ = false;
  std::atomic<int> log_pages_ = 0;
  std::atomic<bool> frames_known_ = false;  // `log_pages_` is what the log holds
  std::atomic<bool> commit_failed_ = false;
  Status restore_status_;
  std::atomic<bool> restore_ordered_ = false;
  bool wrote_ = false;
};

}  // namespace hearth::storage
