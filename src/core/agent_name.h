// How people name an agent: by name or id, alone or after its class or unique key and a slash.
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace hearth::core {

// Whether `text` names this agent: "name", "id", "key/name" or "key/id", where the key is the class
// or the whole unique key (<worker>-<class>). An agent whose name is not known (empty) is
// recognized by its id being made of the name.
bool is_called(const std::string& unique_key, const std::string& id, const std::string& name,
               std::string_view text);
// Whether the id is idFromName(name)'s in this namespace.
bool is_id_of(const std::string& unique_key, const std::string& id, std::string_view name);

}  // namespace hearth::core
