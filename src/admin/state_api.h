// The admin interface's routes about what is kept, for `hearth state` on a running server. They
// name paths of this machine, so they answer on the Unix socket only:
//   GET  /_hearth/state          the names, the alarms, and who is awake
//   POST /_hearth/state/copy     {"uniqueKey","id","to"}: the agent's database to the file `to`,
//   its
//                                facets' below `to` with .facets for .sqlite
//   POST /_hearth/state/adopt    {"agents":[{"uniqueKey","id","name","alarmMs"}]}: their files were
//                                put in place
#pragma once

#include <filesystem>

#include "admin/server.h"
#include "core/engine.h"
#include "core/registry.h"

namespace hearth::admin {

// All of it outlives the server.
struct StateSources {
  core::Engine& engine;
  core::Registry& registry;
  std::filesystem::path state;
};
void add_state_routes(Server& server, const StateSources& sources);

}  // namespace hearth::admin
