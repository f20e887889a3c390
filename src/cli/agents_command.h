// `hearth agents …`: which agents there are and what became of them, of a running hearth through
// its admin interface, of a stopped one from its disk. Prints to standard output; complaints go to
// standard error.
#pragma once

namespace hearth::cli {

// `argv[0]` is "agents". Returns the process's exit code: 0, 1 for what could not be done, or the
// command line parser's for what was not understood.
int agents_command(int argc, const char* const* argv);

}  // namespace hearth::cli
