// An agent's ledger as the admin interface tells it; the command line tells a stopped server's in
// the same way.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace hearth::admin {

// Adds "entries" (oldest first: atMs, kind, what, and host, code, number, text where they say
// something) and "lastError" to `answer`; without a ledger the entries are empty, and "fault" says
// so if it could not be read.
void add_ledger(nlohmann::ordered_json& answer, const std::filesystem::path& state,
                std::string_view unique_key, std::string_view id, std::size_t limit);

}  // namespace hearth::admin
