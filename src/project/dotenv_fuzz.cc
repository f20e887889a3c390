// Any bytes are read; every entry has a key of the allowed characters, once; expansion ends.
#include <cstddef>
#include <cstdint>
#include <set>

#include "base/assert.h"
#include "project/dotenv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto entries = hearth::project::parse_dotenv(text);
  std::set<std::string> keys;
  for (const auto& entry : entries) {
    ASSERT(!entry.key.empty() && keys.insert(entry.key).second, "keys are there and differ");
    ASSERT(entry.value.size() <= size && entry.at.line >= 1, "values come from the text");
  }
  hearth::project::expand_references(entries);
  return 0;
}
