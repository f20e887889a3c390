// The admin interface's routes about agents:
//   GET /_hearth/agents[?match=TEXT][&limit=N]   all that are known, by class and name
#pragma once

#include "admin/server.h"
#include "core/engine.h"
#include "core/registry.h"

namespace hearth::admin {

void add_agent_routes(Server& server, core::Engine& engine, core::Registry& registry);

}  // namespace hearth::admin
