// The two documents made from a configuration (docs/wire.md): the bundle job for the bundler, and
// the worker document for a host.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "project/bindings.h"
#include "project/findings.h"
#include "project/project.h"
#include "project/value.h"

namespace hearth::project {

// `outdir` is empty, for the caller to fill in.
nlohmann::ordered_json bundle_job(const Value& config, const Project& project, bool dev,
                                  Findings& findings);

// `bundle` and `state` are empty, for the caller to fill in. Reads assets, triggers, compatibility.
nlohmann::ordered_json worker_document(const Value& config, const Project& project, bool dev,
                                       const std::vector<Binding>& bindings,
                                       nlohmann::ordered_json ai, Findings& findings);

std::vector<std::string> read_crons(const Value& config, Findings& findings);

}  // namespace hearth::project
