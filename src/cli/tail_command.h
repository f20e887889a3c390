// `hearth tail [AGENT]`: follows the log of a running hearth. Prints to standard output, as the log
// does: for people on a terminal, as JSON lines elsewhere or with --json.
#pragma once

namespace hearth::cli {

// `argv[0]` is "tail". 0 when the server ended, 1 when it could not be followed, or the command
// line parser's code.
int tail_command(int argc, const char* const* argv);

}  // namespace hearth::cli
