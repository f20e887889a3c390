// How the state store reaches what it works on: the disk itself while no hearth serves it, or the
// hearth that does. Files that are looked for and put in place are the store's own business.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/registry.h"

namespace hearth::core {

struct AgentEntry {
  std::string unique_key;
  std::string id;    // 64 hex digits
  std::string name;  // empty: not known
  std::filesystem::path file;
};

class StateAccess {
 public:
  virtual ~StateAccess() = default;
  // Agents that are known by name.
  virtual std::vector<StoredAgent> names() = 0;
  virtual std::vector<StoredAlarm> alarms() = 0;
  // Its database, with all that was acknowledged, to `to`, which appears whole, checked and synced
  // or not at all; with `facets`, theirs beside it. kConflict: `to` is there already.
  enum class Facets { kWithout, kWith };
  virtual Status copy_out(const AgentEntry& agent, const std::filesystem::path& to,
                          Facets facets) = 0;
  // kConflict when one of them is at work, though it has no file yet.
  virtual Status may_be_added(const std::vector<AgentEntry>& agents) = 0;
  // Their files are in place: their names and alarms are known from now on, or nothing is.
  virtual Status add(const std::vector<AgentEntry>& agents) = 0;
};

// The folder of an agent's facets, beside its file.
std::filesystem::path facets_of(std::filesystem::path file);
// Of an agent's file that is to be copied to `to`: each of its databases and where it goes, the
// agent's own first, then its facets', whose folders are made.
std::vector<std::pair<std::filesystem::path, std::filesystem::path>> copied_files(
    const std::filesystem::path& file, const std::filesystem::path& to);
// Copies the databases below a folder of facets; nothing when there is none.
Status copy_facets(const std::filesystem::path& from, const std::filesystem::path& to);

// The disk itself, under the state folder's lock.
class DiskAccess final : public StateAccess {
 public:
  explicit DiskAccess(Registry& registry) : registry_(registry) {}
  std::vector<StoredAgent> names() override { return registry_.agents(); }
  std::vector<StoredAlarm> alarms() override { return registry_.alarms(); }
  Status copy_out(const AgentEntry& agent, const std::filesystem::path& to, Facets facets) override;
  Status may_be_added(const std::vector<AgentEntry>&) override { return {}; }
  Status add(const std::vector<AgentEntry>& agents) override;

 private:
  Registry& registry_;
};

}  // namespace hearth::core
