// `hearth check`: the project's own TypeScript compiler, with the types of env, and what it finds
// in the form in which `hearth doctor` tells its findings. Writes nothing but a stale file that
// `hearth types` made, and its own settings below .hearth. Runs an event loop of its own.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "project/finding.h"

namespace hearth::cli {

// What `tsc --pretty false` prints, as findings: "src/a.ts(3,5): error TS2304: …", whose further
// lines are indented. Paths are relative to `folder`. Lines of another form are left out.
std::vector<project::Finding> compiler_findings(std::string_view output,
                                                const std::filesystem::path& folder);

// `argv[0]` is "check". 0: nothing is wrong; 1: the compiler found something; 2: could not look.
int check_command(int argc, const char* const* argv);

}  // namespace hearth::cli
