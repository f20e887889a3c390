// Which agents a rehearsal tries, and their copies below its folder: of each class those whose
// files were written last. What a host serves is copied by that host, without disturbing it; the
// rest from the disk. Blocking parts run on a thread of the caller's choice and say so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "core/router.h"

namespace hearth::server {

struct ChosenAgent {
  AgentId id;  // its namespace is its place in the list that was given
  std::string unique_key;
  std::filesystem::path file;
  std::uint64_t bytes = 0;
  Status copied{};
};

struct Choice {
  std::vector<ChosenAgent> agents;
  std::vector<std::size_t> stored;  // of each namespace: how many there are
  bool cut = false;                 // for want of room on the disk
};

// Looks through the folders of the namespaces; of each at most `agents_max`, and of all no more
// than fills half of the disk's free space. Blocks; any thread.
Choice choose_agents(const std::filesystem::path& state,
                     const std::vector<core::NamespaceInfo>& namespaces, std::size_t agents_max);

}  // namespace hearth::server
