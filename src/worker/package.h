// A version of the code as it travels and is kept: a manifest (what the server must know without
// the project: classes, migrations, bindings, the worker document), the bundle with its source
// maps, and the assets. Secrets are not in it. As bytes: one line of JSON, then the files one after
// the other. As a folder: the same files below it, and version.json.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "project/project.h"

namespace hearth::worker {

inline constexpr std::size_t kPackageBytesMax = 200 * 1024 * 1024;
inline constexpr std::size_t kPackageFilesMax = 20'000;
inline constexpr char kManifestName[] = "version.json";

struct PackageFile {
  std::string path;            // relative, with slashes: "bundle/index-0a1b2c.mjs"
  std::filesystem::path from;  // where it is now
  std::uint64_t bytes = 0;
};

struct Package {
  nlohmann::ordered_json manifest;
  std::vector<PackageFile> files;
};

struct BuiltWorker {
  project::Project project;
  std::filesystem::path bundle;  // that it was built into
};

// Of one worker, or of several that are served as one: the first gets the requests. kIo: a folder
// cannot be read; kLimit: too large.
Result<Package> make_package(const std::vector<BuiltWorker>& workers);

// The values of the project's secrets, by name: never a part of the package.
std::map<std::string, std::string> secret_values(const nlohmann::ordered_json& document);
// Of all of these; where there are several, each name has its worker's before it: "back:KEY".
std::map<std::string, std::string> secret_values(const std::vector<project::Project>& projects);
// Those that are a worker's: what is for it alone goes before what is for all.
std::map<std::string, std::string> secrets_for(const std::map<std::string, std::string>& secrets,
                                               const std::string& worker);
// Puts them back: those that the document names and `secrets` lacks are returned.
std::vector<std::string> fill_secrets(nlohmann::ordered_json& document,
                                      const std::map<std::string, std::string>& secrets);

Result<std::string> packed(const Package& package);
// Makes `folder`, with version.json. kInvalid: these bytes are no package.
Result<nlohmann::ordered_json> unpack(std::string_view bytes, const std::filesystem::path& folder);
// The same from a package that was not packed.
Status copy_package(const Package& package, const std::filesystem::path& folder);

// What a manifest says of its workers, as far as a server needs it; `root` is the version's folder.
Result<std::vector<project::Project>> projects_of(const nlohmann::ordered_json& manifest,
                                                  const std::filesystem::path& root);

// Stands for what is in a package, whenever and wherever it was made.
std::string content_hash(const Package& package);

}  // namespace hearth::worker
