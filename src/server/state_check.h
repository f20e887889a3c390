// How a configuration meets a state directory that has a history. A class that a migration renamed
// keeps the unique key of its first name, for the ids and the folder of its agents are made from
// it. A stored class that the configuration lost is refused (S304): serving would open an empty
// database where an earlier one is meant.
#pragma once

#include <filesystem>

#include "core/registry.h"
#include "project/project.h"

namespace hearth::server {

// Sets the namespaces' unique keys to those under which they are stored. kConflict: S304, with the
// edit that mends it.
Status adopt_state(project::Project& project, const std::filesystem::path& state,
                   core::Registry& registry);

}  // namespace hearth::server
