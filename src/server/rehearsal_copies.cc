#include "server/rehearsal_copies.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "wire/agent_ids.h"

namespace hearth::server {

namespace {

namespace fs = std::filesystem;

struct Found {
  fs::file_time_type written;
  fs::path file;
  std::uint64_t bytes = 0;
};

fs::path beside(const fs::path& file, const char* suffix) {
  fs::path path = file;
  path += suffix;
  return path;
}

// An agent that is awake writes to its log.
Found looked_at(const fs::path& file) {
  std::error_code error;
  Found found{fs::last_write_time(file, error), file, fs::file_size(file, error)};
  const fs::path log = beside(file, "-wal");
  const auto logged = fs::last_write_time(log, error);
  if (error) return found;
  found.written = std::max(found.written, logged);
  found.bytes += fs::file_size(log, error);
  return found;
}

std::vector<Found> stored_in(const fs::path& folder) {
  std::vector<Found> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path& file = entry.path();
    if (file.extension() != ".sqlite" || !wire::parse_agent_id(file.stem().string())) continue;
    found.push_back(looked_at(file));
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return b.written < a.written; });
  return found;
}

}  // namespace

Choice choose_agents(const fs::path& state, const std::vector<core::NamespaceInfo>& namespaces,
                     std::size_t agents_max) {
  Choice choice;
  std::error_code error;
  const fs::space_info space = fs::space(state, error);
  std::uint64_t room = error ? 0 : space.available / 2;
  for (std::size_t number = 0; number < namespaces.size(); ++number) {
    const std::string& key = namespaces[number].unique_key;
    const std::vector<Found> found = stored_in(state / "do" / key);
    choice.stored.push_back(found.size());
    for (std::size_t i = 0; i < std::min(found.size(), agents_max); ++i) {
      if (found[i].bytes > room) {
        choice.cut = true;
        continue;
      }
      room -= found[i].bytes;
      ChosenAgent& agent = choice.agents.emplace_back();
      agent.id = {static_cast<std::uint16_t>(number),
                  *wire::parse_agent_id(found[i].file.stem().string())};
      agent.unique_key = key;
      agent.file = found[i].file;
      agent.bytes = found[i].bytes;
    }
  }
  return choice;
}

}  // namespace hearth::server
