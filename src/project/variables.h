// Variables and secrets: `vars`, then `.dev.vars` or `.env`, then `--var`, each over the one
// before; and the key of the service behind `env.AI`, which is looked for among them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "project/bindings.h"
#include "project/findings.h"
#include "project/project.h"
#include "project/value.h"

namespace hearth::project {

// One of the process's environment variables, as LoadOptions tells.
std::optional<std::string> environment_variable(const LoadOptions& options,
                                                const std::string& name);

struct Variables {
  std::vector<Binding> bindings;
  std::vector<std::filesystem::path> files;  // looked for, whether there or not
};

// Reads .dev.vars.<env>, else .dev.vars, else .env, .env.local, .env.<env> and .env.<env>.local
// (the later over the earlier), from the configuration's folder, as wrangler does.
Result<Variables> read_variables(const Value& config, const std::filesystem::path& root,
                                 const LoadOptions& options, Findings& findings);

// The worker document's `ai`. The first that is set decides: HEARTH_AI_BASE_URL or
// HEARTH_AI_API_KEY (any OpenAI-compatible service), OPENROUTER_API_KEY, OPENAI_API_KEY or
// OPENAI_BASE_URL; each is looked for among the variables, then in the process's environment.
// Without any, a warning says where to put the key. HEARTH_AI_MODELS gives models other names.
nlohmann::ordered_json read_ai(const Bindings& bindings, const Variables& variables,
                               const LoadOptions& options, Findings& findings);

}  // namespace hearth::project
