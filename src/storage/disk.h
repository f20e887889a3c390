// The file system as an agent's database needs it beside what SQLite does by itself: whether files
// are there, the syncs that make a commit durable, and what the history of a database is kept in.
// One that forgets, tears and fails stands in for it in tests, together with the VFS that it names.
// May be called by several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::storage {

class Disk {
 public:
  // An open file that is synced again and again.
  class File {
   public:
    virtual ~File() = default;
    virtual Status sync_data() = 0;
    // Writes every byte that it holds once more, so that the next sync brings it to the disk: after
    // a sync that failed, the system takes what it could not write for written.
    virtual Status rewrite() = 0;
    // Fewer bytes than asked for only at the file's end.
    virtual Result<std::string> read(std::uint64_t offset, std::size_t count) = 0;
    virtual Status write(std::uint64_t offset, std::string_view bytes) = 0;
    virtual Status truncate(std::uint64_t size) = 0;
  };
  enum class Open { kExisting, kCreate };

  virtual ~Disk() = default;
  // The VFS that SQLite is to use; null for its own.
  virtual const char* vfs() const = 0;
  // In bytes; nullopt when there is no such file or folder.
  virtual std::optional<std::uint64_t> size_of(const std::string& path) = 0;
  bool exists(const std::string& path) { return size_of(path).has_value(); }
  // Its first bytes, at most `count`; empty when it cannot be read.
  virtual std::string head(const std::string& path, std::size_t count) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status make_folders(const std::string& path) = 0;
  virtual Result<std::unique_ptr<File>> open(const std::string& path,
                                             Open how = Open::kExisting) = 0;
  // Replaces what is there under the new name.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  // In milliseconds since the epoch: when the file was last written, 0 when it is not there; now.
  virtual std::int64_t modified_ms(const std::string& path) = 0;
  virtual std::int64_t now_ms() = 0;
  // The entries of a folder: which files are there.
  virtual Status sync_folder(const std::string& path) = 0;
};

// The machine's own. It has no state.
Disk& system_disk();

}  // namespace hearth::storage
