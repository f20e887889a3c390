// The end of a class that a migration deleted: the registry has let go of its agents already, in
// one transaction, and noted where their folder goes. Moving it is done here, by whoever finds the
// note: at once when nobody has the agents open, else at the next start. So a crash between the two
// leaves nothing half done. What is in <state>/trash is hearth's no more; a person removes it.
// Blocks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "core/registry.h"

namespace hearth::core {

// The name under which a folder is kept in trash/: "20260131-235959-w-Room".
std::string trash_name(std::string_view unique_key, std::int64_t now_ms);

// Moves every folder that is noted. kIo: S305, one could not be moved; its note stays.
Status move_trash(const std::filesystem::path& state, Registry& registry);

}  // namespace hearth::core
