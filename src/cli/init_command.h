// `hearth init [DIR]`: a project that works, in an empty folder. Asks one question at most, and
// none with --yes, with --name, or where nobody can answer.
#pragma once

namespace hearth::cli {

// `argv[0]` is "init". 0; 2: the folder is not empty or cannot be written.
int init_command(int argc, const char* const* argv);

}  // namespace hearth::cli
