// What a configuration's `migrations` or `exports` ask of a state directory that has a history:
// which classes are new, renamed, deleted or taken over from another worker, as a list of steps
// that is worked out before anything is touched. A class that is renamed or transferred keeps the
// unique key of its first name, for the ids and the folder of its agents are made from it; so its
// storage follows without a file being moved. Pure: plain values in and out; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "project/project.h"

namespace hearth::project {

// A class whose agents are kept, of this or of another worker: one that the registry knows, or a
// folder <worker>-<class> that was brought along.
struct StoredClassState {
  std::string worker;
  std::string class_name;
  std::string unique_key;
  std::uint64_t agents = 0;  // that have a database
};

struct StoredState {
  std::vector<StoredClassState> classes;
  std::vector<std::string> tags;           // applied for this worker, in their order
  std::vector<std::string> reserved_keys;  // of deleted classes whose folders are still in place
};

enum class StepKind { kCreate, kRename, kDelete, kTransfer };

struct MigrationStep {
  StepKind kind = StepKind::kCreate;
  std::string tag;  // empty: of `exports`, or of a binding without a migration
  std::string unique_key;
  std::string from_worker;  // kTransfer
  std::string from_class;   // all but kCreate
  std::string to_class;     // all but kDelete
  std::uint64_t agents = 0;
};

struct MigrationPlan {
  std::vector<MigrationStep> steps;
  std::vector<std::string> tags;          // to be recorded as applied
  std::vector<std::string> unique_keys;   // of Project::namespaces, by index
  std::vector<StoredClassState> classes;  // this worker's, when all steps are done
  std::vector<std::string> forgotten;     // unique keys without agents that make room for others
  std::vector<std::string> warnings;

  // Something that is there now is renamed, handed over or destroyed.
  bool touches_agents() const;
};

struct PlanOptions {
  std::vector<std::string> workers{};  // that are served together; this project's need not be named
  // A tag that the configuration lacks is a warning: in `dev` one goes back to an older branch.
  bool tolerates_missing_tags = false;
};

// kConflict: S304, with the edit that mends it.
Result<MigrationPlan> plan_migrations(const Project& project, const StoredState& stored,
                                      const PlanOptions& options = {});

// S306: a plan that deletes agents is carried out only for classes that `confirmed` names.
Status check_deletions(const MigrationPlan& plan, const std::vector<std::string>& confirmed);

}  // namespace hearth::project
