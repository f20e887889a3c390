// What the configuration binds to `env`: Durable Object namespaces, and the kinds beside them that
// hearth provides, replaces or refuses by name.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "project/findings.h"
#include "project/migrations.h"
#include "project/project.h"
#include "project/value.h"

namespace hearth::project {

// One entry of `env`, in the form of the worker document.
struct Binding {
  std::string name;
  Position at;
  nlohmann::ordered_json document;
};

struct Bindings {
  std::vector<Namespace> namespaces;
  std::vector<DurableObjectBinding> durable_objects;
  std::vector<ForeignBinding> foreign;
  std::vector<Binding> all;  // Durable Objects first, then the other kinds in the file's order
  bool has_ai = false;
  std::string ai_name;
  Position ai_at;
};

// Everything but variables and secrets. Checks each binding's shape (C104), its class (C114, C116)
// and its route (C106, C107, C108).
Bindings read_bindings(const Value& config, const std::string& worker, const ClassHistory& history,
                       Findings& findings);

}  // namespace hearth::project
