// A project as hearth serves it: what `wrangler.jsonc`, `.json` or `.toml` says, after `--env`,
// `.dev.vars`, `.env` and `--var` are applied. Plain values; read once per start or reload.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::project {

// A class of this worker that stores state.
struct Namespace {
  std::string class_name;
  std::string unique_key;  // "<worker>-<class>", what ids and the folder on disk are made from
  bool sqlite = false;     // a migration lists it in new_sqlite_classes
  bool migrated = false;   // some migration lists it
};

struct DurableObjectBinding {
  std::string name;
  std::string class_name;
  std::uint16_t name_space = 0;  // index into Project::namespaces
  std::string url_segment;       // what routeAgentRequest makes of `name`, e.g. "coder-agent"
};

// How each key of the configuration is treated; all are listed at start.
enum class KeySupport { kSupported, kReplaced, kIgnored, kUnknown };
struct KeyReport {
  std::string key;       // dotted, e.g. "observability.enabled" is reported as "observability"
  KeySupport support = KeySupport::kIgnored;
  std::string note;      // what hearth does instead, or why it is ignored
};

struct Project {
  std::filesystem::path config_path;
  std::filesystem::path root;  // the folder of config_path
  std::string name;            // the worker's
  std::filesystem::path main;
  std::vector<Namespace> namespaces;
  std::vector<DurableObjectBinding> bindings;
  std::vector<std::string> crons;
  std::vector<KeyReport> keys;
  std::vector<std::string> warnings;  // one sentence each, with file:line where known

  // The two documents made from it, as JSON (docs/wire.md): what the bundler is asked for, and what
  // a host is configured with (`bundle` and `state` are filled in by the caller).
  std::string bundle_job_json;
  std::string worker_json;
};

struct LoadOptions {
  std::filesystem::path config;  // empty: wrangler.jsonc, .json, .toml in the current folder
  std::string environment;       // --env
  std::vector<std::pair<std::string, std::string>> vars;  // --var K:V
  bool dev = true;
};

// Reads and checks the configuration. kNotFound: no file; kInvalid: with file:line:column and what
// to write instead. Unknown or unsupported keys are never an error.
Result<Project> load(const LoadOptions& options);

// The URL segment under which the SDK's routeAgentRequest serves a binding.
std::string url_segment(std::string_view binding_name);

}  // namespace hearth::project
