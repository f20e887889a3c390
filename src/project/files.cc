#include "project/files.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

namespace hearth::project {
namespace {

constexpr std::array<std::string_view, 3> kNames{"wrangler.json", "wrangler.jsonc",
                                                 "wrangler.toml"};

std::optional<FoundConfig> in_folder(const std::filesystem::path& folder) {
  std::optional<FoundConfig> found;
  for (std::string_view name : kNames) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(folder / name, ignored)) continue;
    if (found) {
      found->unused.emplace_back(name);
    } else {
      found = FoundConfig{folder / name, {}};
    }
  }
  return found;
}

}  // namespace

Result<std::string> read_config_file(const std::filesystem::path& path) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (status.type() == std::filesystem::file_type::not_found) {
    return Error{ErrorCode::kNotFound, path.string() + " does not exist"};
  }
  if (status.type() == std::filesystem::file_type::directory) {
    return Error{ErrorCode::kIo, path.string() + " is a folder, not a file"};
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorCode::kIo, path.string() + " cannot be read: " + std::strerror(errno)};
  }
  std::string text(kConfigBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return Error{ErrorCode::kIo, path.string() + " cannot be read"};
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kConfigBytesMax) {
    return Error{ErrorCode::kLimit, path.string() + " is larger than 1 MiB"};
  }
  return text;
}

Result<FoundConfig> find_config(const std::filesystem::path& config) {
  std::error_code failure;
  const std::filesystem::path given =
      std::filesystem::absolute(config.empty() ? std::filesystem::path(".") : config, failure)
          .lexically_normal();
  if (failure) return Error{ErrorCode::kIo, "the current folder cannot be read"};
  if (!config.empty() && !std::filesystem::is_directory(given, failure)) {
    if (!std::filesystem::exists(given, failure)) {
      return Error{ErrorCode::kNotFound, given.string() + " does not exist (C111)"};
    }
    return FoundConfig{given, {}};
  }
  std::filesystem::path folder = given;
  if (!folder.has_filename()) folder = folder.parent_path();  // "/a/b/" names "/a/b"
  for (std::filesystem::path at = folder;; at = at.parent_path()) {
    if (std::optional<FoundConfig> found = in_folder(at)) return *std::move(found);
    if (at == at.parent_path()) break;
  }
  return Error{ErrorCode::kNotFound,
               "there is no wrangler.json, wrangler.jsonc or wrangler.toml in " + folder.string() +
                   " or above it: go to the project's folder, name the file with --config, or let "
                   "`hearth init my-agents` make a project (C111)"};
}

}  // namespace hearth::project
