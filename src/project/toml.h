// TOML, as wrangler.toml is written, read by toml++ into the same tree as JSONC. Pure.
#pragma once

#include <string_view>

#include "project/jsonc.h"

namespace hearth::project {

// kInvalid: "wrangler.toml:3:5: …". Dates become strings in their TOML form.
Result<ParsedConfig> parse_toml(std::string_view text, std::string_view file_name);

}  // namespace hearth::project
