// The admin interface's routes about agents:
//   GET  /_hearth/agents[?match=TEXT][&limit=N]    all that are known, by class and name
//   GET  /_hearth/agents/why?agent=AGENT[&limit=N] what became of one, from the ledger
//   POST /_hearth/agents/release?agent=AGENT       frees one from quarantine
// AGENT is a name, an id, CLASS/NAME or CLASS/ID.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "admin/server.h"
#include "core/engine.h"
#include "core/ledger_writer.h"
#include "core/registry.h"

namespace hearth::admin {

// What the routes look at; all of it outlives the server.
struct AgentSources {
  core::Engine& engine;
  core::Registry& registry;
  core::Ledger& ledger;
  core::LedgerWriter& writer;
  os::Loop& loop;
  std::filesystem::path state;
};
void add_agent_routes(Server& server, const AgentSources& sources);

// The one agent that is called so among those that are known. kNotFound, or kInvalid for several.
Result<core::StoredAgent> find_agent(core::Engine& engine, core::Registry& registry,
                                     std::string_view text);

}  // namespace hearth::admin
