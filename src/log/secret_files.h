// The secrets that lie beside a configuration, for what is said before the project could be read,
// or of files that its environment leaves out: every value of `.dev.vars*` and `.env*` in its
// folder, and the values in the configuration's own text whose names say that they are secrets.
// Reads files; what cannot be read has none.
#pragma once

#include <filesystem>
#include <vector>

#include "log/redactor.h"

namespace hearth::log {

// `config` may be empty: then there are none.
std::vector<Secret> secrets_beside(const std::filesystem::path& config);

}  // namespace hearth::log
