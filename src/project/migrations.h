// `migrations` (or the newer `exports`): which classes of this worker store state, and how.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "project/findings.h"
#include "project/project.h"
#include "project/value.h"

namespace hearth::project {

struct StoredClass {
  std::string name;
  bool sqlite = false;
  Position at;
};

struct ClassHistory {
  std::vector<Migration> migrations;
  std::vector<ExportedClass> exports;
  std::vector<StoredClass> classes;            // live after all migrations, in order of creation
  std::map<std::string, Position> deleted;     // gone, and where it says so
  std::map<std::string, std::string> renamed;  // former name to present name

  const StoredClass* find(const std::string& name) const;
};

// Applies the migrations in order. Contradictions that wrangler refuses (C116) are told as
// warnings, and a class made by new_classes as C115.
ClassHistory read_migrations(const Value& config, Findings& findings);

}  // namespace hearth::project
