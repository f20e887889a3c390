// Any bytes are read or refused in words; what is read can be written, read again, and is the same.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/assert.h"
#include "project/jsonc.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto first = hearth::project::parse_jsonc(text, "w");
  if (!first.ok()) {
    ASSERT(first.error().message.starts_with("w:"), "a refusal has its place");
    return 0;
  }
  const std::string written = to_json(first.value().root).dump();
  const auto second = hearth::project::parse_jsonc(written, "w");
  ASSERT(second.ok(), "what was written is read");
  ASSERT(to_json(second.value().root).dump() == written, "what was read is the same");
  return 0;
}
