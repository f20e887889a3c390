// How an examination is shown: on a terminal, or as JSON, without the project's secrets: whatever
// holds words of its own (messages, stacks, the lines of files, diffs) goes through a redactor.
// Pure, but for the files whose lines are quoted.
#pragma once

#include <string>

#include "cli/doctor.h"
#include "log/redactor.h"

namespace hearth::cli {

// One finding: its head, its place with the lines around, the cause, the edit as a diff.
std::string finding_text(const project::Finding& finding, const std::filesystem::path& root,
                         bool colour, const log::Redactor& hidden);
// The edit, as it may be shown.
std::string diff_text(const project::Finding& finding, const std::filesystem::path& root,
                      const log::Redactor& hidden);
log::Redactor secrets_to_hide(const Examination& examination);
std::string examination_text(const Examination& examination, bool colour);
std::string examination_json(const Examination& examination, int exit_code);
int exit_code_of(const Examination& examination);

}  // namespace hearth::cli
