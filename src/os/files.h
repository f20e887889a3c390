// Small whole-file helpers that answer with a Result instead of throwing. Synchronous: for
// start-up, reloads and watching, never for the path of an event.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::os {

Result<std::string> read_file(const std::filesystem::path& path);
// The folder and those above it.
Status make_directories(const std::filesystem::path& path);
// What was made, renamed or removed in the folder survives a power cut.
Status sync_folder(const std::filesystem::path& path);
// Milliseconds since the epoch, or -1 when there is no such file.
std::int64_t modified_ms(const std::filesystem::path& path);
// Where the running program lies.
std::filesystem::path program_path();

// A folder of one's own among the system's temporary ones, which goes with this object.
class TemporaryFolder {
 public:
  // Its name begins with `prefix`.
  explicit TemporaryFolder(std::string_view prefix);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  // Empty when none could be made.
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hearth::os
