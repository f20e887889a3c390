// The files that a project's configuration consists of: finding and reading them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::project {

// Configuration files beyond this size are refused: they are written by hand.
inline constexpr std::size_t kConfigBytesMax = 1024 * 1024;

// kNotFound, kLimit (too large) or kIo.
Result<std::string> read_config_file(const std::filesystem::path& path);

struct FoundConfig {
  std::filesystem::path path;
  std::vector<std::string> unused;  // other configurations in the same folder, which are not read
};

// `config` as LoadOptions has it. kNotFound says where was looked and what to write.
Result<FoundConfig> find_config(const std::filesystem::path& config);

}  // namespace hearth::project
