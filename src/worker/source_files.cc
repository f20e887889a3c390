#include "worker/source_files.h"

#include "os/files.h"
#include "project/jsonc_tokens.h"

namespace hearth::worker {

const std::string& SourceFiles::text(const std::filesystem::path& file) {
  const auto known = texts_.find(file);
  if (known != texts_.end()) return known->second;
  const Result<std::string> read = os::read_file(file);
  return texts_.emplace(file, read ? *read : std::string()).first->second;
}

project::Position SourceFiles::place(const std::filesystem::path& file, std::size_t offset) {
  return project::position_at(text(file), offset);
}

}  // namespace hearth::worker
