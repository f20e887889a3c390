// Writes the log where it is to go, on a thread of its own, so that a terminal that stands still or
// a slow disk never holds up the event loop. Lines wait in a queue that is bounded in bytes; those
// for which there is no room are dropped, and counted in a line of their own once there is room. A
// log file that cannot be written is complained of on standard error once, and tried again with
// every line.
//
// Made and used on the loop thread; the thread inside touches nothing but the queue and the files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace hearth::log {

struct LogFileOptions {
  std::filesystem::path path;  // empty: no file
  std::size_t bytes_max = 10 * 1024 * 1024;
  unsigned files_max = 5;  // besides the one that is written to: PATH.1 is the latest of them
};

class LogWriter {
 public:
  static constexpr std::size_t kQueueBytesMax = 8 * 1024 * 1024;

  // Makes a line that says how many were dropped.
  using DropText = std::function<std::string(std::uint64_t dropped)>;

  // `descriptor` is where text goes; it stays the caller's.
  LogWriter(int descriptor, DropText drop_text);
  // Writes what waits, for at most two seconds.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // kIo when the file cannot be opened. `drop_text` is its own, as the forms differ.
  Status open_file(const LogFileOptions& options, DropText drop_text);
  bool has_file() const;

  // Either may be empty.
  void write(std::string to_descriptor, std::string to_file);
  // Waits until all of it is written; false at the deadline.
  bool flush(std::uint32_t deadline_ms);

 private:
  struct Shared;
  static void run(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared>
      shared_;  // the thread may outlive us, when what it writes to stands still
};

}  // namespace hearth::log
