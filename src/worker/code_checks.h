// Checks of the code against the configuration: what the bundler's scan of the sources, the
// bundle's exports and a host's Ready say, beside what the configuration binds. Reads source files
// for their lines; otherwise pure. For `hearth doctor`, and for `dev` at each change.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "project/finding.h"
#include "project/project.h"

namespace hearth::worker {

struct CodeFacts {
  bool gets_requests = true;         // the first worker of those that are served
  nlohmann::json scan;               // of the build report; null when there is none
  std::vector<std::string> exports;  // of the entry point
  bool exports_known = false;
  nlohmann::json ready;  // Ready's JSON; null when nothing was loaded
};

// From a build report's line.
CodeFacts facts_of_report(std::string_view line);

// B204 and B205: what can be told before the code is loaded.
std::vector<project::Finding> check_exports(const project::Project& project,
                                            const CodeFacts& facts);
// B203, B206, B208 to B211, C118.
std::vector<project::Finding> check_code(const project::Project& project, const CodeFacts& facts);

// Whether the code itself speaks of a binding by its name or route: then renaming it in the
// configuration alone would break that code.
bool code_knows_binding(const CodeFacts& facts, const project::DurableObjectBinding& binding);

}  // namespace hearth::worker
