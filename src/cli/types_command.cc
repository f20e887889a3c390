#include "cli/types_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "os/files.h"
#include "project/env_types.h"
#include "project/finding.h"
#include "project/project.h"
#include "server/usage.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFileName = "worker-configuration.d.ts";
constexpr const char* kRuntimePackage = "@cloudflare/workers-types";

Result<std::vector<project::EnvironmentProject>> read_environments(const TypesRequest& request) {
  project::LoadOptions options;
  options.config = request.config;
  options.environment = request.environment;
  auto first = project::load(options);
  if (!first) return first.error();
  const std::vector<std::string> names = first->environments;
  std::vector<project::EnvironmentProject> all;
  all.push_back({"", std::move(first).value()});
  if (!request.environment.empty()) return all;
  for (const std::string& name : names) {
    options.environment = name;
    auto read = project::load(options);
    if (!read) return read.error();
    all.push_back({name, std::move(read).value()});
  }
  return all;
}

bool installed(const fs::path& root, const fs::path& package) {
  std::error_code ignored;
  for (fs::path folder = root;; folder = folder.parent_path()) {
    if (fs::exists(folder / "node_modules" / package / "package.json", ignored)) return true;
    if (folder == folder.parent_path()) return false;
  }
}

// Whether the project says itself where the runtime's types are.
bool named_in_tsconfig(const fs::path& root) {
  const auto text = os::read_file(root / "tsconfig.json");
  return text && text->find(kRuntimePackage) != std::string::npos;
}

}  // namespace

Result<TypesFile> make_types(const TypesRequest& request) {
  auto environments = read_environments(request);
  if (!environments) return environments.error();
  TypesFile file;
  file.root = environments->front().project.root;
  file.path = (request.output.empty() ? file.root / kFileName : fs::absolute(request.output))
                  .lexically_normal();
  if (const auto before = os::read_file(file.path)) file.before = *before;
  if (file.before && !project::is_generated(*file.before)) {
    return Error{ErrorCode::kConflict,
                 file.path.string() +
                     " was not generated, so it is left as it is; name another file to write to"};
  }
  const std::string_view kept =
      file.before && request.keep_runtime ? project::runtime_part(*file.before) : "";
  project::EnvTypesOptions options;
  options.interface_name = request.interface_name;
  options.strict_vars = request.strict_vars;
  options.output = file.path;
  if (request.keep_runtime && kept.empty() && !named_in_tsconfig(file.root)) {
    options.runtime_reference = installed(file.root, kRuntimePackage);
    if (!options.runtime_reference) {
      file.note = std::string(
                      "the types of the runtime itself (DurableObjectNamespace, Fetcher) "
                      "are not installed: npm install -D ") +
                  kRuntimePackage;
    }
  }
  file.text = project::env_types(*environments, options) + std::string(kept);
  return file;
}

Status write_types(const TypesFile& file) {
  // Whole or not at all: an editor or tsc may read it meanwhile.
  const fs::path fresh = file.path.string() + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << file.text;
  out.close();
  std::error_code error;
  if (out) fs::rename(fresh, file.path, error);
  if (!out || error) {
    std::error_code ignored;
    fs::remove(fresh, ignored);
    return Error{ErrorCode::kIo, file.path.string() + " cannot be written"};
  }
  return {};
}

int types_command(int argc, const char* const* argv) {
  CLI::App app{"writes the types of env from the configuration"};
  app.name("hearth types");
  TypesRequest request;
  bool check = false;
  app.add_option("PATH", request.output,
                 "the file to write (default: worker-configuration.d.ts beside the configuration)");
  app.add_option("-c,--config", request.config, "wrangler.jsonc, .json or .toml, or its folder");
  app.add_option("--env", request.environment,
                 "one environment of the configuration (default: all together)");
  app.add_option("--env-interface", request.interface_name, "the interface's name (default: Env)")
      ->check([](const std::string& name) {
        const bool word = !name.empty() &&
                          name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                              "XYZ0123456789_$") == std::string::npos &&
                          (name[0] < '0' || name[0] > '9');
        return word ? std::string() : "\"" + name + "\" is no name of an interface";
      });
  app.add_option("--strict-vars", request.strict_vars,
                 "a var's type is its value (default), or with =false string, number and so on");
  app.add_option("--include-runtime", request.keep_runtime,
                 "refer to @cloudflare/workers-types, or keep what wrangler wrote (default: true)");
  app.add_flag("--check", check, "write nothing: exit with 1 if the file is not up to date");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return server::tell_usage(app, error);
  }
  const auto file = make_types(request);
  if (!file) {
    std::fprintf(stderr, "hearth types: %s\n", file.error().message.c_str());
    return 2;
  }
  const std::string shown = file->path.lexically_relative(file->root).generic_string();
  if (!file->note.empty()) std::fprintf(stderr, "note: %s\n", file->note.c_str());
  if (!file->stale()) {
    std::printf("%s is up to date\n", shown.c_str());
    return 0;
  }
  if (check) {
    std::printf("%s %s; run: hearth types\n%s", shown.c_str(),
                file->before ? "is not up to date" : "is not there",
                project::unified_diff(file->before.value_or(""), file->text, shown).c_str());
    return 1;
  }
  if (const Status written = write_types(*file); !written) {
    std::fprintf(stderr, "hearth types: %s\n", written.error().message.c_str());
    return 2;
  }
  std::printf("%s %s\n", shown.c_str(), file->before ? "is written anew" : "is written");
  return 0;
}

}  // namespace hearth::cli
