// A project as hearth serves it: what `wrangler.jsonc`, `.json` or `.toml` says, after `--env`,
// `.dev.vars`, `.env` and `--var` are applied. Plain values; read once per start or reload.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "project/finding.h"

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
  Position name_at{};            // of `name` and of `class_name` in the configuration
  Position class_at{};
};

// A binding of this worker to another one (`services`, or `durable_objects` with a `script_name`),
// which is served if its configuration is given too.
struct ForeignBinding {
  std::string name;
  std::string worker;
  std::string class_name;  // of a Durable Object; empty: a service
  std::string url_segment;
  Position at{};
};

// How each key of the configuration is treated; all are listed at start.
enum class KeySupport { kSupported, kReplaced, kIgnored, kUnknown };
struct KeyReport {
  std::string key;  // dotted, e.g. "observability.enabled" is reported as "observability"
  KeySupport support = KeySupport::kIgnored;
  std::string note;  // what hearth does instead, or why it is ignored
};

// One entry of `migrations`, in the file's order: what the registry compares with what is stored.
struct Migration {
  std::string tag;
  std::vector<std::string> new_classes;
  std::vector<std::string> new_sqlite_classes;
  std::vector<std::string> deleted_classes;
  std::vector<std::pair<std::string, std::string>> renamed_classes;  // from, to
  // From a class of another worker ("worker", "class") to a class of this one.
  struct Transfer {
    std::string from_worker;
    std::string from;
    std::string to;
  };
  std::vector<Transfer> transferred_classes;
};

// One Durable Object entry of `exports`, the newer form: how a class stands, not what to do with
// it.
struct ExportedClass {
  enum class State { kCreated, kDeleted, kRenamed, kTransferred, kExpectingTransfer };
  std::string name;
  State state = State::kCreated;
  std::string other;  // renamed_to, transferred_to or transfer_from
};

struct Project {
  std::filesystem::path config_path;
  std::filesystem::path root;  // the folder of config_path
  std::string name;            // the worker's
  std::filesystem::path main;  // empty: there are assets only
  std::vector<Namespace> namespaces;
  std::vector<DurableObjectBinding> bindings;
  std::vector<ForeignBinding> foreign;
  std::vector<Migration> migrations;
  std::vector<ExportedClass> exports;  // never beside migrations
  std::vector<std::string> crons;
  std::vector<KeyReport> keys;
  std::vector<std::string> warnings;         // one sentence each, with file:line where known
  std::vector<std::filesystem::path> files;  // what was read or would be if it were there: to watch
  // What `hearth types` needs besides: the names under "env", the secrets that are declared whether
  // given or not, and the binding that is a version (it is a var in worker_json).
  std::vector<std::string> environments;
  std::vector<std::string> required_secrets;
  std::string version_binding;
  std::optional<std::uint16_t> dev_port;  // dev.port, dev.ip: used where the command line is silent
  std::string dev_ip;

  // The two documents made from it, as JSON (docs/wire.md): what the bundler is asked for, and what
  // a host is configured with (`bundle` and `state` are filled in by the caller).
  std::string bundle_job_json;
  std::string worker_json;
};

struct LoadOptions {
  // A file, or the folder to look in. Empty: the current folder. A folder is searched for
  // wrangler.json, .jsonc and .toml, in wrangler's order, and so is each folder above it.
  std::filesystem::path config;
  // Configurations of further workers that are served beside this one. They get the environment,
  // and no `vars`.
  std::vector<std::filesystem::path> others{};
  std::string environment;                                // --env
  std::vector<std::pair<std::string, std::string>> vars;  // --var K:V
  bool dev = true;
  // The process's environment variables; empty: those of this process.
  std::function<std::optional<std::string>(const std::string&)> process_environment;
};

// Reads and checks the configuration, and what it binds of `others`. kNotFound: no file; kIo: one
// that cannot be read; kInvalid: with file:line:column and what to write instead, one line for each
// fault. Unknown or unsupported keys are never an error.
Result<Project> load(const LoadOptions& options);

// As load(), for the worker and the others, in the order given. kInvalid too: two of one name.
Result<std::vector<Project>> load_all(const LoadOptions& options);

// As load(), with every finding by itself and its edits: for `hearth doctor`. `project` is there
// unless a fault kept it from being read; `error` is load()'s.
struct Inspection {
  std::optional<Project> project;
  std::vector<Project> others;  // those that could be read
  std::vector<Finding> findings;
  std::optional<Error> error;
  std::filesystem::path config_path;  // empty: there is none
};
Inspection inspect(const LoadOptions& options);

std::string_view to_string(KeySupport support);

// The URL segment under which the SDK's routeAgentRequest serves a binding.
std::string url_segment(std::string_view binding_name);

}  // namespace hearth::project
