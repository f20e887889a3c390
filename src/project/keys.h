// Every key that wrangler's configuration knows, and what hearth does with it: the one table behind
// the list printed at start, the inheritance of environments, and docs/configuration.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "project/project.h"

namespace hearth::project {

// How `--env` treats a key, as wrangler does.
enum class Inheritance {
  kInherited,     // the environment's own, else the top level's
  kNotInherited,  // only the environment's own
  kTopLevel,      // has meaning at the top level only
};

// Where a key of bindings that hearth does not provide names them.
enum class BindingShape {
  kNone,
  kObject,        // { "binding": "AI" }
  kListBinding,   // [ { "binding": "KV", … } ]
  kListName,      // [ { "name": "EMAIL", … } ]
  kProducers,     // { "producers": [ { "binding": "QUEUE", … } ] }
  kBindingsName,  // { "bindings": [ { "name": "X", … } ] }
};

struct Key {
  std::string_view name;
  Inheritance inheritance;
  KeySupport support;
  BindingShape unsupported_bindings;  // each becomes an `unsupported` entry of the worker document
  // One sentence without a full stop; of a binding that hearth lacks, also what its use throws.
  std::string_view note;
};

std::span<const Key> all_keys();
const Key* find_key(std::string_view name);
std::vector<std::string> key_names();

// The table of docs/configuration.md, in Markdown.
std::string keys_as_markdown();

}  // namespace hearth::project
