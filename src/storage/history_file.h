// The file beside a database that says how to go back: `<database>-history`, records of what each
// stretch of time changed, appended only and read from the end backwards. When it has grown to half
// of what a history may take, or spans the time that is kept, it becomes `<database>-history-old`
// in place of the one before, and a new one goes on from there; so whatever is kept is whole.
//
//   file    "hearth history 1", u64 incarnation (random; names this history), then records
//   record  u32 length, body, u32 checksum of the body, u32 length
//   body    u8 kind, then as below; integers little-endian
//
// Every record is synced before the next one is written, so that only the last can be torn; it is
// cut off at the next opening. Any thread, one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/disk.h"

namespace hearth::storage {

// A state that the database was in, and can be brought back to.
struct Point {
  std::uint32_t epoch = 0;    // how often something was restored before
  std::uint32_t segment = 0;  // which log since
  std::uint32_t frame = 0;    // after which frame of it
  std::int64_t at_ms = 0;     // since the epoch: when the last transaction before it ended

  bool operator==(const Point& other) const {
    return epoch == other.epoch && segment == other.segment && frame == other.frame;
  }
  bool operator<=(const Point& other) const {
    if (epoch != other.epoch) return epoch < other.epoch;
    if (segment != other.segment) return segment < other.segment;
    return frame <= other.frame;
  }
};

struct HistoryRecord {
  enum class Kind : std::uint8_t {
    kBase = 1,      // `to` is the oldest state that this file knows
    kChange = 2,    // from `from` to `to`
    kRestored = 3,  // the log `salts`, if there is one, is a restore of `to.frame` frames
  };
  struct Page {
    std::uint32_t number = 0;
    std::string_view patch;  // makes what it was of what it became
  };

  Kind kind = Kind::kBase;
  bool born = false;  // kBase: nothing had been stored before
  bool first = true;  // kChange: a large one is told in several records
  bool last = true;
  Point from;
  Point to;
  std::uint64_t salts = 0;  // the log that `to.frame` counts in
  std::uint64_t sums = 0;   // of that frame, and of all before it
  std::uint32_t from_pages = 0;
  std::uint32_t to_pages = 0;
  std::uint64_t from_digest = 0;
  std::uint64_t to_digest = 0;
  std::vector<Page> pages;  // into the bytes that it was read from

  std::string encode() const;
  static std::optional<HistoryRecord> decode(std::string_view body);
};

class HistoryFile {
 public:
  HistoryFile(std::string database_path, Disk& disk);

  static std::string path_of(const std::string& database) { return database + "-history"; }
  static std::string old_path_of(const std::string& database) { return database + "-history-old"; }

  // False: there is none. Cuts off what a crash tore; kCorrupt: it is no history.
  Result<bool> open();
  Status create(std::uint64_t incarnation, const HistoryRecord& base);
  // On the disk once it returns ok. After a failure the file is closed.
  Status append(const HistoryRecord& record);
  // Becomes the old one; the next goes on from `base`.
  Status rotate(const HistoryRecord& base);
  // The database may move on once this returns ok: a power cut does not bring back an older file
  // under this one's name. Losing the only one is no harm: a new one begins.
  Status settle();
  // Its name too: a power cut does not take all of it away.
  Status sync_name();
  void close() { file_.reset(); }
  Status remove();

  std::uint64_t incarnation() const { return incarnation_; }
  std::uint64_t bytes() const { return bytes_; }
  // Something was cut off when it was opened.
  bool was_cut() const { return was_cut_; }
  // From the newest record to the oldest, over both files, until `each` returns false.
  Status walk_back(const std::function<Result<bool>(const HistoryRecord&)>& each);
  // The file's first record.
  Result<HistoryRecord> base();

 private:
  Result<bool> open_at(const std::string& path, std::unique_ptr<Disk::File>& file,
                       std::uint64_t& bytes, std::uint64_t& incarnation);
  Result<std::uint64_t> whole_bytes(Disk::File& file, std::uint64_t size);
  Status write_and_sync(std::string_view bytes);
  Result<bool> walk_file(Disk::File& file, std::uint64_t end,
                         const std::function<Result<bool>(const HistoryRecord&)>& each);

  const std::string database_;
  const std::string path_;
  const std::string old_path_;
  Disk& disk_;
  std::unique_ptr<Disk::File> file_;
  std::uint64_t bytes_ = 0;
  std::uint64_t incarnation_ = 0;
  bool name_synced_ = false;
  bool name_matters_ = false;
  bool was_cut_ = false;
};

}  // namespace hearth::storage
