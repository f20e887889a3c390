// A disk in memory that does what a bad day does to a real one: a power cut at the nth call drops,
// tears or keeps each byte that was not synced; the nth call fails; there is no room left. All of
// it from one seed. SQLite uses it as a VFS, Connection as its Disk.
//
// What it takes to be the truth about disks:
//  - a write is on the medium when its file was synced; until then each of its 512-byte sectors may
//    be, in any order;
//  - a file's name is on the medium when its folder was synced. Changes of names reach it in order,
//    for file systems keep a journal of them. As SQLite's own VFS does, the first sync of a log or
//    journal through SQLite syncs the folder too;
//  - bytes whose sync failed are read back, and count as written; no later sync brings them to the
//    medium (Linux marks such pages clean).
// Any thread.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "storage/disk.h"

namespace hearth::storage {

class FaultDisk : public Disk {
 public:
  enum class Fault { kPowerCut, kFail, kFull };
  // How a power cut treats what was not synced.
  enum class Loss { kAll, kSome, kNone };

  explicit FaultDisk(std::uint64_t seed);
  ~FaultDisk() override;

  // ---- what the test orders ----
  // Calls that change something, counted from here: the nth meets the fault. kFail is met once,
  // kFull until `make_room`, kPowerCut until `boot`.
  void plan(Fault fault, std::uint64_t nth);
  void make_room();
  // The machine is off: nothing works until `boot`.
  void cut_power();
  bool power_is_off();
  // What was on the medium is there, and nothing else. Every file must have been closed.
  void boot(Loss loss);
  // As after the death of the process: names and bytes are as they were. Meets no fault any more.
  void end_plan();

  // The clock stands still but for this.
  void pass_time(std::int64_t ms);

  std::uint64_t calls();
  std::uint64_t faults_met();
  std::string content(const std::string& path);
  void overwrite(const std::string& path, std::string content);

  // ---- Disk ----
  const char* vfs() const override { return name_.c_str(); }
  std::optional<std::uint64_t> size_of(const std::string& path) override;
  std::string head(const std::string& path, std::size_t count) override;
  Status remove(const std::string& path) override;
  Status make_folders(const std::string& path) override;
  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  Status rename(const std::string& from, const std::string& to) override;
  std::int64_t modified_ms(const std::string& path) override;
  std::int64_t now_ms() override;
  Status sync_folder(const std::string& path) override;

 private:
  friend struct FaultVfs;

  struct Write {  // or, with `cut`, the new size of the file
    std::uint64_t offset = 0;
    std::string bytes;
    bool cut = false;
    bool lost = false;  // its sync failed
  };
  struct Inode {
    std::string now;
    std::string medium;
    std::vector<Write> unsynced;
    bool name_synced = false;
    std::int64_t modified_ms = 0;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  // Counts a call that changes something, with the lock held: SQLITE_OK, or what it fails with.
  int meet(int failure);
  int write(Inode& inode, const void* bytes, std::uint64_t count, std::uint64_t offset);
  int truncate(Inode& inode, std::uint64_t size);
  int sync(Inode& inode);
  int sync_names();
  std::shared_ptr<Inode> find(const std::string& path);
  std::shared_ptr<Inode> make(const std::string& path);
  void lose(Inode& inode, Loss loss);
  static void apply(std::string& content, const Write& write, std::uint64_t from,
                    std::uint64_t count);
  std::uint64_t random(std::uint64_t below);

  std::string name_;
  sqlite3_vfs vfs_ = {};
  std::recursive_mutex mutex_;
  std::mt19937_64 random_;
  Names names_;
  Names medium_names_;
  std::vector<Names> unsynced_names_;  // after each change, in order
  std::uint64_t calls_ = 0;
  std::uint64_t fault_at_ = 0;
  std::uint64_t faults_met_ = 0;
  Fault fault_ = Fault::kFail;
  std::int64_t now_ms_ = 1'700'000'000'000;
  bool off_ = false;
  bool full_ = false;
};

}  // namespace hearth::storage
