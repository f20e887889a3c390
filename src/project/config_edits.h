// The edits of a configuration file that mend what was found in it. They keep the file's comments
// and its layout: texts are put in beside tokens, nothing is written anew.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "project/finding.h"

namespace hearth::project {

// Adds edits to those findings that have one.
void propose_config_edits(std::string_view text, const std::filesystem::path& file,
                          std::vector<Finding>& findings);

// The edit that writes `wanted` in the place of the string (or bare key) at a position.
std::optional<Edit> replace_string(std::string_view text, const std::filesystem::path& file,
                                   Position at, std::string_view wanted);

// The edit that adds a member to the configuration's object, or a table to a TOML file.
std::optional<Edit> add_member(std::string_view text, const std::filesystem::path& file,
                               std::string_view jsonc, std::string_view toml);

}  // namespace hearth::project
