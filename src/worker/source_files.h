// The text of a project's files, read once each, and what places in them are called.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "project/finding.h"

namespace hearth::worker {

class SourceFiles {
 public:
  // Empty if it cannot be read.
  const std::string& text(const std::filesystem::path& file);
  project::Position place(const std::filesystem::path& file, std::size_t offset);

 private:
  std::map<std::filesystem::path, std::string> texts_;
};

}  // namespace hearth::worker
