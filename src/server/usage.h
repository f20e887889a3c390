// What is said of a command line that does not parse: what was not understood, what may have been
// meant, and where the whole list is. On the standard error; an asked-for help goes to the output.
#pragma once

#include <CLI/CLI.hpp>

namespace hearth::server {

inline constexpr int kUsageExit = 2;

// Returns the exit code: 0 when it was the help that was asked for, else kUsageExit.
int tell_usage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace hearth::server
