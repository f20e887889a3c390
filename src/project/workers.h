// Several workers that are served as one: the first gets the requests, the others are reached by
// bindings (`services`, `durable_objects` with a `script_name`). Checks what they bind of each
// other, and makes the one document that a host is configured with. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "project/finding.h"
#include "project/project.h"

namespace hearth::project {

// kInvalid: two of them have one name.
Status check_names(const std::vector<Project>& all);

// C117: what a worker binds of others that is not among `all`.
std::vector<Finding> check_foreign(const Project& project, const std::vector<Project>& all);

// One namespace of all workers; its place in the list is its number on the wire.
struct JoinedNamespace {
  std::string class_name;
  std::string unique_key;
  std::string worker;
};

struct JoinedRoute {
  std::string segment;
  std::string binding;
  std::uint16_t name_space = 0;
  std::string class_name;
  Position at;  // of the binding's name in the first worker's configuration
};

struct Joined {
  nlohmann::ordered_json
      document;  // docs/wire.md; `bundle` and `state` are the caller's to fill in
  std::vector<JoinedNamespace> namespaces;
  std::vector<JoinedRoute> routes;  // of the first worker, which gets the requests
};

// The first project's document with all namespaces, and the further workers under "workers".
Joined join(const std::vector<Project>& all);

}  // namespace hearth::project
