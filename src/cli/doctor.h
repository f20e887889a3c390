// `hearth doctor`: looks for what is wrong with a project without serving it. Reads the
// configuration, bundles, loads the bundle in one host, compares all three with each other and with
// what is stored. Runs an event loop of its own; nothing is kept but what `--fix` writes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "project/project.h"
#include "server/options.h"
#include "worker/code_checks.h"

namespace hearth::cli {

struct Examination {
  std::vector<project::Finding> findings;  // the most serious first
  std::optional<project::Project> project;
  std::vector<project::Project> others;  // served beside it
  std::filesystem::path config_path;
  worker::CodeFacts facts;
  std::vector<std::string> notes;  // what could not be looked at, and why
  bool looked = true;              // false: there was nothing to look at
};

Examination examine(const server::Options& options);

// 0: nothing is wrong, 1: faults, 2: could not look.
int doctor(const server::Options& options);
// 0, or 2 when there is no such code.
int explain_code(const std::string& code);

// The errors of a build report as findings: B201, B202, B207.
std::vector<project::Finding> build_findings(std::string_view report,
                                             const std::filesystem::path& root);

}  // namespace hearth::cli
