// The project that `hearth init` makes: an agent with state, a callable method and an echo, and a
// page that talks to it. Constant data, but for the worker's name.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hearth::cli {

// Paths within the project, each with its text.
std::vector<std::pair<std::string, std::string>> starter_files(const std::string& name);

}  // namespace hearth::cli
