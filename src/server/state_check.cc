#include "server/state_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

namespace hearth::server {

namespace {

using KeyOfClass = std::map<std::string, std::string>;

bool has_agents(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    if (file.path().extension() == ".sqlite") return true;
  }
  return false;
}

bool deleted(const project::Project& project, const std::string& class_name) {
  return std::any_of(project.migrations.begin(), project.migrations.end(), [&](const auto& each) {
    return std::find(each.deleted_classes.begin(), each.deleted_classes.end(), class_name) !=
           each.deleted_classes.end();
  });
}

// The key under which a class is stored: by its own name, or by one that it had before.
std::string stored_key(const project::Project& project, std::string class_name,
                       const KeyOfClass& stored) {
  if (const auto own = stored.find(class_name); own != stored.end()) return own->second;
  for (auto migration = project.migrations.rbegin(); migration != project.migrations.rend();
       ++migration) {
    for (const auto& [from, to] : migration->renamed_classes) {
      if (to != class_name) continue;
      class_name = from;
      if (const auto former = stored.find(from); former != stored.end()) return former->second;
    }
  }
  return {};
}

}  // namespace

Status adopt_state(project::Project& project, const std::filesystem::path& state,
                   core::Registry& registry) {
  KeyOfClass stored;
  for (const auto& [key, class_name] : registry.namespaces(project.name)) stored[class_name] = key;
  std::set<std::string> served;
  std::string fresh;
  for (auto& each : project.namespaces) {
    const std::string key = stored_key(project, each.class_name, stored);
    if (!key.empty()) each.unique_key = key;
    if (key.empty() && !has_agents(state / "do" / each.unique_key)) fresh = each.class_name;
    served.insert(each.unique_key);
  }
  std::string lost;
  for (const auto& [class_name, key] : stored) {
    if (served.contains(key) || deleted(project, class_name)) continue;
    if (has_agents(state / "do" / key)) lost = class_name;
  }
  // A class that is gone and none that is new: it was taken out, and its agents stay on disk.
  if (lost.empty() || fresh.empty()) return {};
  return Error{ErrorCode::kConflict,
               "S304: " + state.string() + " holds agents of the class " + lost +
                   ", which this configuration no longer has, while " + fresh +
                   " is new.\n  If it was renamed, add a migration: { \"tag\": \"...\", "
                   "\"renamed_classes\": [{ \"from\": \"" +
                   lost + "\", \"to\": \"" + fresh +
                   "\" }] }\n  If its agents are to go: { \"tag\": \"...\", "
                   "\"deleted_classes\": [\"" +
                   lost + "\"] }"};
}

}  // namespace hearth::server
