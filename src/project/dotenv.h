// The files in which people keep secrets: `.dev.vars` and `.env`. Read as the npm package dotenv
// reads them, whose rules wrangler has: `export`, `KEY=value` and `KEY: value`, comments, three
// kinds of quotes that may span lines, `\n` and `\r` in double quotes. Lines that are neither are
// skipped. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "project/value.h"

namespace hearth::project {

struct DotenvEntry {
  std::string key;
  std::string value;
  Position at;  // the key's
};

// In the file's order; a key given again replaces the earlier one's value and place.
// `skipped` gets the numbers of the lines that are no entry, no comment and not empty.
std::vector<DotenvEntry> parse_dotenv(std::string_view text,
                                      std::vector<std::uint32_t>* skipped = nullptr);

// References among .env values: $KEY, ${KEY}, ${KEY:-otherwise}; `\$` is a dollar sign. `earlier`
// and the entries themselves are looked at; what neither has is empty. A reference back to itself
// ends as it stands. (.dev.vars values are never expanded.)
void expand_references(std::vector<DotenvEntry>& entries,
                       const std::vector<DotenvEntry>& earlier = {});

}  // namespace hearth::project
