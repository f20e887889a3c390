// `hearth state …`: what is kept, looked at and moved, on a running server or on none. Prints to
// standard output; complaints go to standard error.
#pragma once

namespace hearth::cli {

// `argv[0]` is "state". Returns the process's exit code: 0, 1 for what could not be done, or the
// command line parser's for what was not understood.
int state_command(int argc, const char* const* argv);

}  // namespace hearth::cli
