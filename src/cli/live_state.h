// The state folder of a running hearth, for `hearth state`: that hearth's hosts copy the databases
// that they have open, and its core learns of agents that are put there.
#pragma once

#include <filesystem>
#include <memory>

#include "admin/client.h"
#include "core/state_store.h"

namespace hearth::cli {

// Of the hearth that serves the folder, or of the disk where none does.
Result<std::unique_ptr<core::StateStore>> open_state(const std::filesystem::path& state,
                                                     core::StateStore::Open how);

}  // namespace hearth::cli
