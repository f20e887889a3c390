// One open database file: SQLite's connection, and a descriptor of its write-ahead log for making
// commits durable. Shared by the JavaScript thread, which runs statements, and the syncer's thread,
// which syncs the log, checkpoints it and at last closes the connection; SQLite's own mutex of the
// connection serialises the two.
//
// How durability is had: SQLite itself never syncs while the log is young (synchronous=OFF), and
// the syncer's fdatasync of the log is what makes a commit durable. That is safe as long as the log
// has no older frames: it is new, or was emptied by a checkpoint at close. From the first
// checkpoint on the log is overwritten from its start, and SQLite syncs around that by itself
// (synchronous=NORMAL, which costs a sync once per checkpoint).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "storage/rules.h"

struct sqlite3;

namespace hearth::storage {

class Connection {
 public:
  // Opens the file, or creates it and its folder. kCorrupt for a file that is no database: it is
  // left as it is.
  static Result<std::unique_ptr<Connection>> open(const std::string& path);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* raw() const { return raw_; }
  const std::string& path() const { return path_; }
  Rules& rules() { return rules_; }

  // Pages in the log, as of the last commit; and whether there was one since the last `take`.
  int log_pages() const { return log_pages_; }
  bool take_wrote() { return std::exchange(wrote_, false); }

  // ---- the syncer's thread ----
  // Everything that is committed so far survives a power cut once this returns ok.
  Status sync();
  // Moves the log into the database file. Does nothing while a transaction is open.
  void checkpoint();
  // Checkpoints, empties the log and closes. No log file remains.
  void close();

 private:
  explicit Connection(std::string path) : path_(std::move(path)) {}
  Status set_up();
  Status sync_creation();
  Status run(const char* sql);

  std::string path_;
  Rules rules_;
  sqlite3* raw_ = nullptr;
  int log_descriptor_ = -1;
  bool created_ = false;         // the file and its folder entry are still to be synced
  bool folder_created_ = false;  // the entry of the folder itself too
  std::atomic<int> log_pages_ = 0;
  bool wrote_ = false;
};

}  // namespace hearth::storage
