// The TypeScript declarations of what a configuration binds, as `wrangler types` has them: one
// interface with every entry of `env`, declared globally and as Cloudflare.Env (which the SDK and
// `import { env } from "cloudflare:workers"` read). Pure; the same projects give the same text.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "project/project.h"

namespace hearth::project {

struct EnvTypesOptions {
  std::string interface_name = "Env";
  bool strict_vars = true;         // a var's type is its value; otherwise string, number, …
  std::filesystem::path output;    // absolute: imports are relative to its folder
  bool runtime_reference = false;  // name @cloudflare/workers-types as the source of the rest
};

// One way to read the configuration. The first has no name: it is the top level, or what --env
// chose.
struct EnvironmentProject {
  std::string environment;
  Project project;
};

// Of several environments the interface is what holds in each of them: an entry that one lacks is
// optional, and types that differ are a union; each also has an interface of its own.
std::string env_types(const std::vector<EnvironmentProject>& environments,
                      const EnvTypesOptions& options);

// The part of a file behind the declarations which is not ours: wrangler's runtime types. Kept when
// the file is written anew. Empty if there is none.
std::string_view runtime_part(std::string_view file);

// Whether the text is one that `hearth types` or `wrangler types` wrote, and may be replaced.
bool is_generated(std::string_view file);
bool is_generated_here(std::string_view file);

}  // namespace hearth::project
