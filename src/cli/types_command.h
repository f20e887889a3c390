// `hearth types`: writes the declarations of env beside the configuration, or with --check says
// whether those that are there are still true. Prints to standard output; complaints go to standard
// error. `hearth check` and `hearth init` use its parts.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace hearth::cli {

struct TypesRequest {
  std::filesystem::path config;  // as LoadOptions::config
  std::string environment;       // empty: all of the configuration together
  std::filesystem::path output;  // empty: worker-configuration.d.ts beside the configuration
  std::string interface_name = "Env";
  bool strict_vars = true;
  bool keep_runtime = true;  // what wrangler wrote of the runtime's own types, and the reference
};

struct TypesFile {
  std::filesystem::path path;
  std::filesystem::path root;         // the configuration's folder
  std::string text;                   // as it should be
  std::optional<std::string> before;  // as it is; absent: there is none
  std::string note;                   // what is amiss besides, in a sentence
  bool stale() const { return before != text; }
};

// Fails as project::load does, and with kConflict when the file was written by hand.
Result<TypesFile> make_types(const TypesRequest& request);
Status write_types(const TypesFile& file);

// `argv[0]` is "types". 0; 1: --check found them stale; 2: could not look or write.
int types_command(int argc, const char* const* argv);

}  // namespace hearth::cli
