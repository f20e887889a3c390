// JSON with comments and trailing commas, as wrangler.jsonc and wrangler.json are written, read
// into a tree with positions. A small lexer of ours finds the places, blanks what JSON does not
// have and words the faults; nlohmann-json decides what is valid and what strings and numbers mean.
// Pure.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "project/value.h"

namespace hearth::project {

// Nesting beyond this is refused: no configuration needs it.
inline constexpr std::size_t kConfigDepthMax = 100;

struct ParsedConfig {
  Value root;
  std::vector<Duplicate> duplicates;
};

// kInvalid: "wrangler.jsonc:3:5: …", worded for someone who is looking at the file.
Result<ParsedConfig> parse_jsonc(std::string_view text, std::string_view file_name);

}  // namespace hearth::project
