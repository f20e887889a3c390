// How a configuration meets a state directory that has a history: what the registry and the folders
// tell is put before the planner of migrations (project/migration_plan.h), and what it plans is
// recorded. Nothing is changed before the code has loaded, and then all of it in one transaction.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/registry.h"
#include "project/finding.h"
#include "project/migration_plan.h"
#include "project/project.h"

namespace hearth::server {

struct StateRules {
  std::vector<std::string> workers{};    // that are served together
  std::vector<std::string> confirmed{};  // classes whose agents may be deleted
  bool tolerates_missing_tags = false;   // in dev
};

project::StoredState stored_state(const std::filesystem::path& state, core::Registry& registry,
                                  const std::string& worker);

// Sets the namespaces' unique keys to those under which they are, or will be, stored; the state is
// only looked at. kConflict: S304 or S306, with what mends it.
Result<project::MigrationPlan> adopt_state(project::Project& project,
                                           const std::filesystem::path& state,
                                           core::Registry& registry, const StateRules& rules);

// What adopt_state says, as a finding: the code that its message begins or ends with is taken out.
project::Finding state_finding(std::string message, project::Weight weight,
                               const std::filesystem::path& config);

// The first contradiction between what is stored for these projects and what they ask for; a state
// that nobody has made yet contradicts nothing, and neither does one that cannot be read. Nothing
// is locked and nothing is changed.
std::optional<project::Finding> state_contradiction(std::vector<project::Project> projects,
                                                    const std::filesystem::path& state,
                                                    os::Loop& loop, StateRules rules);

// What the plan changes, for the registry; with several projects one after the other.
core::NamespaceChange change_of(const project::Project& project, const project::MigrationPlan& plan,
                                std::int64_t now_ms);

// One line for each step that concerns agents which are there, for the log.
std::vector<std::string> told_steps(const project::MigrationPlan& plan);

}  // namespace hearth::server
