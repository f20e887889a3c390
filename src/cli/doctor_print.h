// How an examination is shown: on a terminal, or as JSON. Pure, but for the files whose lines are
// quoted.
#pragma once

#include <string>

#include "cli/doctor.h"

namespace hearth::cli {

// One finding: its head, its place with the lines around, the cause, the edit as a diff.
std::string finding_text(const project::Finding& finding, const std::filesystem::path& root,
                         bool colour);
std::string examination_text(const Examination& examination, bool colour);
std::string examination_json(const Examination& examination, int exit_code);
int exit_code_of(const Examination& examination);

}  // namespace hearth::cli
