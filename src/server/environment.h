// What each entry of `env` is, and what is wrong with it: one answer for `analyzeAgentEnvironment`
// of user code (host/types/hearth.d.ts says its form), `hearth doctor --json` and `/_hearth/env`.
// No value of a var or a secret is in it. Pure, but for the files that diffs are made from.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "log/redactor.h"
#include "project/finding.h"
#include "project/project.h"
#include "worker/code_checks.h"

namespace hearth::server {

// `others`: the workers that are served beside this one.
nlohmann::ordered_json environment_json(const project::Project& project,
                                        const worker::CodeFacts& facts,
                                        const std::vector<project::Finding>& findings,
                                        const std::vector<project::Project>& others);

// One finding, with the catalogue's words; paths are relative to `root` where they are below it.
// What holds words of the project's own, a diff among them, is without what `hidden` knows.
nlohmann::ordered_json finding_json(const project::Finding& finding,
                                    const std::filesystem::path& root, const log::Redactor& hidden);

// The secrets of a project: those that it has, and those that lie beside its configuration.
log::Redactor secrets_to_hide(const std::filesystem::path& config, const project::Project* project);

}  // namespace hearth::server
