// `--env NAME`: the one configuration that remains when wrangler's rules of inheritance are
// applied.
#pragma once

#include <string>

#include "project/findings.h"
#include "project/value.h"

namespace hearth::project {

// The effective configuration: top-level keys only, `env` gone, `name` with its "-NAME" suffix
// unless the environment gives one of its own. Tells of keys that are not inherited (C109), of an
// environment that is not there (C110) and of keys that an environment cannot hold.
Value apply_environment(const Value& root, const std::string& environment, Findings& findings);

}  // namespace hearth::project
