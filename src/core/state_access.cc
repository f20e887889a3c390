#include "core/state_access.h"

#include <algorithm>
#include <system_error>

#include "core/agent_file.h"

namespace hearth::core {

namespace {
namespace fs = std::filesystem;
constexpr char kFacets[] = ".facets";
}  // namespace

fs::path facets_of(fs::path file) {
  return file.replace_extension(kFacets);
}

std::vector<std::pair<fs::path, fs::path>> copied_files(const fs::path& file, const fs::path& to) {
  std::vector<std::pair<fs::path, fs::path>> files{{file, to}};
  const fs::path facets = facets_of(file);
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(facets, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() != ".sqlite") continue;
    const fs::path target = facets_of(to) / entry->path().lexically_relative(facets);
    std::error_code ignored;
    fs::create_directories(target.parent_path(), ignored);
    files.emplace_back(entry->path(), target);
  }
  return files;
}

Status copy_facets(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::is_directory(from, error)) return {};
  for (const auto& entry : fs::directory_iterator(from, error)) {
    const fs::path& each = entry.path();
    Status status;
    if (each.extension() == ".sqlite") status = copy_agent_file(each, to / each.filename());
    if (each.extension() == kFacets) status = copy_facets(each, to / each.filename());
    if (!status) return status;
  }
  return {};
}

Status DiskAccess::copy_out(const AgentEntry& agent, const fs::path& to, Facets facets) {
  Status status = copy_agent_file(agent.file, to);
  if (status && facets == Facets::kWith) status = copy_facets(facets_of(agent.file), facets_of(to));
  return status;
}

Status DiskAccess::add(const std::vector<AgentEntry>& agents) {
  Status status;
  for (const AgentEntry& agent : agents) {
    registry_.agent_opened(agent.unique_key, agent.id, agent.name);
    registry_.agent_closed(agent.unique_key, agent.id);
    const auto alarm = alarm_of_agent_file(agent.file);
    if (!alarm) {
      status = alarm.error();
      break;
    }
    if (*alarm) registry_.set_alarm({agent.unique_key, agent.id, agent.name, **alarm, 0});
  }
  if (status) status = registry_.flush();
  if (status) return status;
  for (const AgentEntry& each : agents) registry_.clear_alarm(each.unique_key, each.id);
  (void)registry_.flush().ok();
  return status;
}

}  // namespace hearth::core
