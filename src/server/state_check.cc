#include "server/state_check.h"

#include <algorithm>
#include <system_error>

#include "core/trash.h"

namespace hearth::server {

namespace {

namespace fs = std::filesystem;
using project::StepKind;

std::uint64_t agents_in(const fs::path& folder) {
  std::uint64_t count = 0;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    if (file.path().extension() == ".sqlite") ++count;
  }
  return count;
}

// A folder that no registry knows, brought along: <worker>-<class>. A class's name has no dash.
void add_folder(const fs::path& folder, std::vector<project::StoredClassState>& classes) {
  const std::string key = folder.filename().string();
  const std::size_t dash = key.rfind('-');
  if (dash == std::string::npos || dash == 0 || dash + 1 == key.size()) return;
  const auto same = [&](const auto& each) { return each.unique_key == key; };
  if (std::any_of(classes.begin(), classes.end(), same)) return;
  const std::uint64_t agents = agents_in(folder);
  if (agents == 0) return;
  const std::string worker = key.substr(0, dash);
  const std::string class_name = key.substr(dash + 1);
  const auto named = [&](const auto& each) {
    return each.worker == worker && each.class_name == class_name;
  };
  if (std::any_of(classes.begin(), classes.end(), named)) return;
  classes.push_back({worker, class_name, key, agents});
}

std::string counted(std::uint64_t agents) {
  return std::to_string(agents) + (agents == 1 ? " agent" : " agents");
}

}  // namespace

project::StoredState stored_state(const fs::path& state, core::Registry& registry,
                                  const std::string& worker) {
  project::StoredState stored;
  const fs::path agents = state / "do";
  for (core::StoredNamespace& each : registry.namespaces()) {
    const std::uint64_t count = agents_in(agents / each.unique_key);
    stored.classes.push_back(
        {std::move(each.worker), std::move(each.class_name), std::move(each.unique_key), count});
  }
  for (const core::TrashedNamespace& each : registry.trash()) {
    stored.reserved_keys.push_back(each.unique_key);
  }
  std::vector<fs::path> folders;
  std::error_code error;
  for (const auto& each : fs::directory_iterator(agents, error)) folders.push_back(each.path());
  std::sort(folders.begin(), folders.end());
  for (const fs::path& each : folders) {
    const std::string key = each.filename().string();
    const auto& reserved = stored.reserved_keys;
    if (std::find(reserved.begin(), reserved.end(), key) == reserved.end()) {
      add_folder(each, stored.classes);
    }
  }
  stored.tags = registry.applied_tags(worker);
  return stored;
}

Result<project::MigrationPlan> adopt_state(project::Project& project, const fs::path& state,
                                           core::Registry& registry, const StateRules& rules) {
  project::PlanOptions options;
  options.workers = rules.workers;
  options.tolerates_missing_tags = rules.tolerates_missing_tags;
  auto plan =
      project::plan_migrations(project, stored_state(state, registry, project.name), options);
  if (!plan) return plan.error();
  if (Status allowed = check_deletions(*plan, rules.confirmed); !allowed) return allowed.error();
  for (std::size_t i = 0; i < project.namespaces.size(); ++i) {
    project.namespaces[i].unique_key = plan->unique_keys[i];
  }
  return plan;
}

project::Finding state_finding(std::string message, project::Weight weight,
                               const fs::path& config) {
  std::string code = message.substr(0, 4);
  if (message.starts_with(code + ": ") && code[0] == 'S') {
    message.erase(0, 6);
  } else {
    code = message.substr(message.size() - 5, 4);
    message.resize(message.size() - 7);
  }
  return {.code = std::move(code), .weight = weight, .message = std::move(message), .file = config};
}

std::optional<project::Finding> state_contradiction(std::vector<project::Project> projects,
                                                    const fs::path& state, os::Loop& loop,
                                                    StateRules rules) {
  std::error_code ignored;
  if (!fs::exists(state / "registry.sqlite", ignored)) return std::nullopt;
  auto registry = core::Registry::look(state, loop);
  if (!registry) return std::nullopt;
  for (const project::Project& each : projects) rules.workers.push_back(each.name);
  for (project::Project& each : projects) {
    const auto plan = adopt_state(each, state, **registry, rules);
    if (plan || plan.error().code != ErrorCode::kConflict) continue;
    return state_finding(plan.error().message, project::Weight::kFault, each.config_path);
  }
  return std::nullopt;
}

core::NamespaceChange change_of(const project::Project& project, const project::MigrationPlan& plan,
                                std::int64_t now_ms) {
  core::NamespaceChange change;
  change.worker = project.name;
  change.now_ms = now_ms;
  change.forgotten = plan.forgotten;
  change.tags = plan.tags;
  for (const project::StoredClassState& each : plan.classes) {
    change.set.push_back({each.worker, each.class_name, each.unique_key});
  }
  for (const project::MigrationStep& each : plan.steps) {
    if (each.kind != StepKind::kDelete) continue;
    change.trashed.push_back({each.unique_key, core::trash_name(each.unique_key, now_ms)});
  }
  return change;
}

std::vector<std::string> told_steps(const project::MigrationPlan& plan) {
  std::vector<std::string> lines;
  for (const project::MigrationStep& each : plan.steps) {
    if (each.agents == 0) continue;
    const std::string tag = each.tag.empty() ? "exports: " : "migration " + each.tag + ": ";
    if (each.kind == StepKind::kRename) {
      lines.push_back(tag + each.from_class + " is " + each.to_class + " now, with its " +
                      counted(each.agents));
    } else if (each.kind == StepKind::kTransfer) {
      lines.push_back(tag + counted(each.agents) + " of " + each.from_worker + "'s " +
                      each.from_class + " belong to " + each.to_class + " now");
    } else if (each.kind == StepKind::kDelete) {
      lines.push_back(tag + each.from_class + " is deleted; the databases of its " +
                      counted(each.agents) + " are in trash/");
    }
  }
  return lines;
}

}  // namespace hearth::server
