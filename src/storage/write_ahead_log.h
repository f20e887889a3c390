// SQLite's write-ahead log as a file (sqlite.org/fileformat2.html, section 4): which page each
// frame holds and which frames end a transaction, for the history to read; and a log of one
// transaction, for a restore to be written as. What SQLite makes of a log and what this says of it
// is the same.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "storage/disk.h"

namespace hearth::storage {

class LogReader {
 public:
  struct Frame {
    std::uint32_t page = 0;
    std::uint32_t pages = 0;  // of the database after the transaction that ends here; 0: none does
    std::uint64_t sums = 0;   // of the log up to here
  };

  // A log without a header is one without frames.
  static Result<LogReader> open(Disk::File& file);

  // Names this log: it changes when SQLite begins it anew. 0: there is none.
  std::uint64_t salts() const { return salts_; }
  std::uint32_t page_bytes() const { return page_bytes_; }
  // Frame `n` is `frames()[n - 1]`.
  const std::vector<Frame>& frames() const { return frames_; }

  // Reads on, up to frame `upto`, which is known to have been written; or, without it, to the end
  // of the last whole transaction, as SQLite does after a crash.
  Status read_on(Disk::File& file, std::optional<std::uint32_t> upto);
  Result<std::string> page(Disk::File& file, std::uint32_t frame) const;

 private:
  std::uint64_t salts_ = 0;
  std::uint32_t page_bytes_ = 0;
  bool big_endian_ = false;
  std::uint32_t sums_[2] = {};
  std::vector<Frame> frames_;
};

// The pages that one transaction changes, put in any order and as often as needed.
class LogWriter {
 public:
  LogWriter(std::unique_ptr<Disk::File> file, std::uint32_t page_bytes, std::uint64_t salts);

  bool has(std::uint32_t page) const { return slots_.contains(page); }
  Result<std::string> get(std::uint32_t page);
  Status put(std::uint32_t page, std::string_view bytes);
  std::vector<std::uint32_t> pages() const;
  // Makes it a log: the transaction leaves a database of `pages` pages, those beyond are left out.
  // Gives the number of frames; the file is synced.
  Result<std::uint32_t> finish(std::uint32_t pages);

 private:
  std::uint64_t place(std::uint32_t slot) const;

  std::unique_ptr<Disk::File> file_;
  const std::uint32_t page_bytes_;
  const std::uint64_t salts_;
  std::unordered_map<std::uint32_t, std::uint32_t> slots_;  // by page
};

}  // namespace hearth::storage
