#include "core/agent_name.h"

#include "wire/agent_ids.h"

namespace hearth::core {

bool is_id_of(const std::string& unique_key, const std::string& id, std::string_view name) {
  wire::AgentIds ids(unique_key);
  const auto wanted = wire::parse_agent_id(id);
  return wanted && !name.empty() && ids.from_name(name) == *wanted;
}

bool is_called(const std::string& unique_key, const std::string& id, const std::string& name,
               std::string_view text) {
  const auto is = [&](std::string_view rest) {
    if (rest.empty()) return false;
    return rest == id || rest == name || (name.empty() && is_id_of(unique_key, id, rest));
  };
  if (is(text)) return true;
  for (std::size_t slash = text.find('/'); slash != std::string_view::npos;
       slash = text.find('/', slash + 1)) {
    const std::string_view key = text.substr(0, slash);
    const bool of_key = key == unique_key || unique_key.ends_with("-" + std::string(key));
    if (of_key && is(text.substr(slash + 1))) return true;
  }
  return false;
}

}  // namespace hearth::core
