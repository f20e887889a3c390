// The ids of namespaces as JavaScript asks for them. The algorithm is wire/agent_ids.h's, shared
// with the core. JavaScript thread only.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "sends.h"
#include "wire/agent_ids.h"

namespace hearth::addon {

// One keyed context for each namespace that was asked for. There are as many as the worker's
// configuration declares; past the bound all are forgotten, which costs a hash to make one again.
class IdKeys {
 public:
  wire::AgentIds& of(std::string_view unique_key);

 private:
  static constexpr std::size_t kMax = 1024;
  std::map<std::string, wire::AgentIds, std::less<>> keys_;
};

std::span<const Export> id_exports();

}  // namespace hearth::addon
