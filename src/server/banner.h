// What is printed at start: the agents that are served and at which URL, and how each key of the
// configuration is treated. Pure text; colour only where asked for.
#pragma once

#include <string>
#include <vector>

#include "project/project.h"

namespace hearth::server {

// `projects`: the first gets the requests.
std::string banner(const std::vector<project::Project>& projects, bool colour);
// Each agent with its class and its URL.
std::string route_table(const project::Project& project, bool colour);

// "412 ms", "3.1 s".
std::string duration_text(std::int64_t ms);

}  // namespace hearth::server
