#include "worker/package.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "os/files.h"
#include "project/workers.h"

namespace hearth::worker {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using State = project::ExportedClass::State;

constexpr int kFormat = 1;
constexpr int kFormatOfSeveral = 2;  // "documents", each worker's own, instead of "document"
constexpr std::size_t kWorkersMax = 100;
constexpr const char* kStates[] = {"created", "deleted", "renamed", "transferred",
                                   "expecting-transfer"};

// ---- the manifest

Json migration_json(const project::Migration& migration) {
  Json renamed = Json::array();
  for (const auto& [from, to] : migration.renamed_classes) renamed.push_back({from, to});
  Json transferred = Json::array();
  for (const auto& each : migration.transferred_classes) {
    transferred.push_back({each.from_worker, each.from, each.to});
  }
  return {{"tag", migration.tag},
          {"new", migration.new_classes},
          {"newSqlite", migration.new_sqlite_classes},
          {"deleted", migration.deleted_classes},
          {"renamed", std::move(renamed)},
          {"transferred", std::move(transferred)}};
}

project::Migration migration_of(const Json& json) {
  project::Migration migration;
  migration.tag = json.at("tag").get<std::string>();
  migration.new_classes = json.at("new").get<std::vector<std::string>>();
  migration.new_sqlite_classes = json.at("newSqlite").get<std::vector<std::string>>();
  migration.deleted_classes = json.at("deleted").get<std::vector<std::string>>();
  for (const Json& each : json.at("renamed")) {
    migration.renamed_classes.emplace_back(each.at(0).get<std::string>(),
                                           each.at(1).get<std::string>());
  }
  for (const Json& each : json.at("transferred")) {
    migration.transferred_classes.push_back({each.at(0).get<std::string>(),
                                             each.at(1).get<std::string>(),
                                             each.at(2).get<std::string>()});
  }
  return migration;
}

Json worker_json(const project::Project& project) {
  Json namespaces = Json::array();
  for (const auto& each : project.namespaces) {
    namespaces.push_back(
        {{"className", each.class_name}, {"sqlite", each.sqlite}, {"migrated", each.migrated}});
  }
  Json bindings = Json::array();
  for (const auto& each : project.bindings) {
    bindings.push_back({{"name", each.name},
                        {"className", each.class_name},
                        {"namespace", each.name_space},
                        {"segment", each.url_segment},
                        {"line", each.name_at.line},
                        {"column", each.name_at.column}});
  }
  Json migrations = Json::array();
  for (const auto& each : project.migrations) migrations.push_back(migration_json(each));
  Json exports = Json::array();
  for (const auto& each : project.exports) {
    exports.push_back({{"name", each.name},
                       {"state", kStates[static_cast<int>(each.state)]},
                       {"other", each.other}});
  }
  return {{"name", project.name},     {"config", project.config_path.string()},
          {"namespaces", namespaces}, {"bindings", bindings},
          {"migrations", migrations}, {"exports", exports},
          {"crons", project.crons}};
}

project::Project worker_of(const Json& json) {
  project::Project project;
  project.name = json.at("name").get<std::string>();
  project.config_path = json.at("config").get<std::string>();
  project.root = project.config_path.parent_path();
  for (const Json& each : json.at("namespaces")) {
    project::Namespace name_space;
    name_space.class_name = each.at("className").get<std::string>();
    name_space.sqlite = each.at("sqlite").get<bool>();
    name_space.migrated = each.at("migrated").get<bool>();
    name_space.unique_key = project.name + "-" + name_space.class_name;
    project.namespaces.push_back(std::move(name_space));
  }
  for (const Json& each : json.at("bindings")) {
    project::DurableObjectBinding binding;
    binding.name = each.at("name").get<std::string>();
    binding.class_name = each.at("className").get<std::string>();
    binding.name_space = each.at("namespace").get<std::uint16_t>();
    binding.url_segment = each.at("segment").get<std::string>();
    binding.name_at = {each.at("line").get<std::uint32_t>(),
                       each.at("column").get<std::uint32_t>()};
    if (binding.name_space < project.namespaces.size()) project.bindings.push_back(binding);
  }
  for (const Json& each : json.at("migrations")) project.migrations.push_back(migration_of(each));
  for (const Json& each : json.at("exports")) {
    project::ExportedClass entry{each.at("name").get<std::string>(), State::kCreated,
                                 each.at("other").get<std::string>()};
    const std::string state = each.at("state").get<std::string>();
    const auto found = std::find(std::begin(kStates), std::end(kStates), state);
    if (found == std::end(kStates)) throw std::invalid_argument("an unknown state of a class");
    entry.state = static_cast<State>(found - std::begin(kStates));
    project.exports.push_back(std::move(entry));
  }
  project.crons = json.at("crons").get<std::vector<std::string>>();
  for (const Json& each : json.value("foreign", Json::array())) {
    project.foreign.push_back(
        {each.at("name").get<std::string>(),
         each.at("worker").get<std::string>(),
         each.at("className").get<std::string>(),
         each.at("segment").get<std::string>(),
         {each.at("line").get<std::uint32_t>(), each.at("column").get<std::uint32_t>()}});
  }
  return project;
}

// What it binds of the other workers that are served with it.
Json foreign_json(const project::Project& project) {
  Json foreign = Json::array();
  for (const auto& each : project.foreign) {
    foreign.push_back({{"name", each.name},
                       {"worker", each.worker},
                       {"className", each.class_name},
                       {"segment", each.url_segment},
                       {"line", each.at.line},
                       {"column", each.at.column}});
  }
  return foreign;
}

// ---- files

bool is_bundle_of_another_build(const fs::path& file, const std::string& bundle) {
  const std::string name = file.filename().string();
  return name.starts_with("index-") && (name.ends_with(".mjs") || name.ends_with(".mjs.map")) &&
         name != bundle && name != bundle + ".map";
}

// `others`: folders below it that are not its own.
Status add_folder(const fs::path& folder, const std::string& below, const std::string& bundle,
                  Package& package, const std::vector<fs::path>& others = {}) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (std::find(others.begin(), others.end(), entry->path()) != others.end()) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_regular_file(error)) files.push_back(entry->path());
  }
  if (error) return Error{ErrorCode::kIo, folder.string() + ": " + error.message()};
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    if (!bundle.empty() && is_bundle_of_another_build(file, bundle)) continue;
    const std::string path = below + "/" + file.lexically_relative(folder).generic_string();
    package.files.push_back({path, file, fs::file_size(file, error)});
    if (error) return Error{ErrorCode::kIo, file.string() + ": " + error.message()};
  }
  return {};
}

// Inside the folder that it is unpacked to, whatever it says.
bool is_safe(const std::string& path) {
  const fs::path given(path);
  if (path.empty() || given.is_absolute() || path.find('\0') != std::string::npos) return false;
  return std::none_of(given.begin(), given.end(),
                      [](const fs::path& part) { return part == ".." || part == "."; });
}

Status write_file(const fs::path& path, std::string_view content) {
  if (Status made = os::make_directories(path.parent_path()); !made) return made;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (file) return {};
  return Error{ErrorCode::kIo, path.string() + " cannot be written"};
}

// One worker's document without its secrets, and its files below `base`.
Status add_worker(Json& document, const fs::path& bundle, const std::string& base,
                  const std::vector<fs::path>& others, Package& package) {
  for (Json& each : document["bindings"]) {
    if (each.value("type", "") == "secret") each.erase("value");
  }
  if (document.contains("ai") && document["ai"].is_object()) document["ai"]["key"] = "";
  document["bundle"] = base + "bundle/" + bundle.filename().string();
  Status added = add_folder(bundle.parent_path(), base + "bundle", bundle.filename().string(),
                            package, others);
  if (added && document.contains("assets") && document["assets"].is_object()) {
    added = add_folder(document["assets"].value("directory", ""), base + "assets", "", package);
    document["assets"]["directory"] = base + "assets";
  }
  return added;
}

// False: a path leads out of the version's folder.
bool place_files(Json& document, const fs::path& root) {
  const auto place = [&](Json& path) {
    const std::string given = path.get<std::string>();
    if (!is_safe(given)) return false;
    path = (root / given).string();
    return true;
  };
  if (!place(document.at("bundle"))) return false;
  const bool assets = document.contains("assets") && document["assets"].is_object();
  return !assets || place(document["assets"].at("directory"));
}

Json head_of(const Package& package) {
  Json files = Json::array();
  for (const PackageFile& each : package.files) files.push_back({each.path, each.bytes});
  return {{"manifest", package.manifest}, {"files", std::move(files)}};
}

}  // namespace

std::map<std::string, std::string> secret_values(const Json& document) {
  std::map<std::string, std::string> secrets;
  for (const Json& each : document.at("bindings")) {
    if (each.value("type", "") == "secret")
      secrets[each.value("name", "")] = each.value("value", "");
  }
  if (const auto ai = document.find("ai"); ai != document.end() && ai->is_object()) {
    const std::string key = ai->value("key", "");
    if (!key.empty()) secrets[ai->value("keyName", "")] = key;
  }
  secrets.erase("");
  return secrets;
}

std::vector<std::string> fill_secrets(Json& document,
                                      const std::map<std::string, std::string>& secrets) {
  std::vector<std::string> missing;
  for (Json& each : document.at("bindings")) {
    if (each.value("type", "") != "secret") continue;
    const auto found = secrets.find(each.value("name", ""));
    if (found == secrets.end()) {
      missing.push_back(each.value("name", ""));
    } else {
      each["value"] = found->second;
    }
  }
  // A name that has no value is undefined to the code, and not the empty text.
  Json kept = Json::array();
  for (Json& each : document["bindings"]) {
    if (each.value("type", "") != "secret" || each.contains("value"))
      kept.push_back(std::move(each));
  }
  document["bindings"] = std::move(kept);
  if (const auto ai = document.find("ai"); ai != document.end() && ai->is_object()) {
    const auto found = secrets.find(ai->value("keyName", ""));
    if (found != secrets.end()) (*ai)["key"] = found->second;
  }
  return missing;
}

std::map<std::string, std::string> secret_values(const std::vector<project::Project>& projects) {
  if (projects.size() == 1) return secret_values(Json::parse(projects.front().worker_json));
  std::map<std::string, std::string> secrets;
  for (const project::Project& each : projects) {
    for (const auto& [name, value] : secret_values(Json::parse(each.worker_json))) {
      secrets[each.name + ":" + name] = value;
    }
  }
  return secrets;
}

std::map<std::string, std::string> secrets_for(const std::map<std::string, std::string>& secrets,
                                               const std::string& worker) {
  std::map<std::string, std::string> own;
  const std::string prefix = worker + ":";
  for (const auto& [name, value] : secrets) {
    if (name.starts_with(prefix)) own[name.substr(prefix.size())] = value;
  }
  own.insert(secrets.begin(), secrets.end());
  return own;
}

Result<Package> make_package(const std::vector<BuiltWorker>& workers) {
  Package package;
  const bool several = workers.size() > 1;
  package.manifest = {{"format", several ? kFormatOfSeveral : kFormat}, {"workers", Json::array()}};
  std::vector<fs::path> folders;
  for (const BuiltWorker& each : workers) folders.push_back(each.bundle.parent_path());
  Json documents = Json::array();
  for (std::size_t number = 0; number < workers.size(); ++number) {
    const auto& [project, bundle] = workers[number];
    // Of one worker alone, bindings to others are told from the rest here; of several, when they
    // are served.
    Json document = several ? Json::parse(project.worker_json) : project::join({project}).document;
    const std::string base = number == 0 ? "" : "workers/" + std::to_string(number) + "/";
    std::vector<fs::path> others = folders;
    std::erase(others, bundle.parent_path());
    const Status added = add_worker(document, bundle, base, others, package);
    if (!added) return added.error();
    package.manifest["workers"].push_back(worker_json(project));
    if (several) package.manifest["workers"].back()["foreign"] = foreign_json(project);
    documents.push_back(std::move(document));
  }
  std::uint64_t bytes = 0;
  for (const PackageFile& each : package.files) bytes += each.bytes;
  if (bytes > kPackageBytesMax || package.files.size() > kPackageFilesMax) {
    return Error{ErrorCode::kLimit,
                 "the bundle and its assets are " + std::to_string(package.files.size()) +
                     " files of " + std::to_string(bytes / 1'000'000) + " MB; a version may have " +
                     std::to_string(kPackageFilesMax) + " of 200 MB"};
  }
  if (several) {
    package.manifest["documents"] = std::move(documents);
  } else {
    package.manifest["document"] = std::move(documents[0]);
  }
  return package;
}

Result<std::string> packed(const Package& package) {
  std::string out = head_of(package).dump() + "\n";
  for (const PackageFile& each : package.files) {
    auto content = os::read_file(each.from);
    if (!content) return content.error();
    if (content->size() != each.bytes) {
      return Error{ErrorCode::kIo, each.from.string() + " changed while it was read"};
    }
    out += *content;
  }
  return out;
}

Result<Json> unpack(std::string_view bytes, const fs::path& folder) {
  const auto broken = [](const std::string& why) {
    return Error{ErrorCode::kInvalid, "this is no version of hearth's: " + why};
  };
  const std::size_t line = bytes.find('\n');
  if (line == std::string_view::npos) return broken("it has no manifest");
  const Json head = Json::parse(bytes.substr(0, line), nullptr, false);
  if (!head.is_object() || !head.contains("manifest") || !head.contains("files") ||
      !head["files"].is_array() || head["files"].size() > kPackageFilesMax) {
    return broken("its manifest cannot be read");
  }
  bytes.remove_prefix(line + 1);
  for (const Json& each : head["files"]) {
    if (!each.is_array() || each.size() != 2 || !each[0].is_string() ||
        !each[1].is_number_unsigned()) {
      return broken("its list of files cannot be read");
    }
    const std::string path = each[0].get<std::string>();
    const std::uint64_t size = each[1].get<std::uint64_t>();
    if (!is_safe(path)) return broken("the path \"" + path + "\" leads out of it");
    if (size > bytes.size()) return broken("it ends in the middle of " + path);
    const Status written = write_file(folder / path, bytes.substr(0, size));
    if (!written) return written.error();
    bytes.remove_prefix(size);
  }
  if (!bytes.empty()) return broken("it is longer than its files");
  return head["manifest"];
}

Status copy_package(const Package& package, const fs::path& folder) {
  for (const PackageFile& each : package.files) {
    const fs::path to = folder / each.path;
    if (Status made = os::make_directories(to.parent_path()); !made) return made;
    std::error_code error;
    fs::copy_file(each.from, to, fs::copy_options::overwrite_existing, error);
    if (error) return Error{ErrorCode::kIo, each.from.string() + ": " + error.message()};
  }
  return {};
}

Result<std::vector<project::Project>> projects_of(const Json& manifest, const fs::path& root) {
  const auto broken = [](const std::string& why) {
    return Error{ErrorCode::kInvalid, "the version's manifest cannot be read: " + why};
  };
  try {
    if (manifest.at("format").get<int>() > kFormatOfSeveral) {
      return broken("it was made by a newer hearth");
    }
    const bool several = manifest.at("format").get<int>() == kFormatOfSeveral;
    const Json& workers = manifest.at("workers");
    const Json documents =
        several ? manifest.at("documents") : Json::array({manifest.at("document")});
    if (workers.empty() || workers.size() > kWorkersMax || workers.size() != documents.size()) {
      return broken("its workers do not agree");
    }
    std::vector<project::Project> projects;
    for (std::size_t number = 0; number < workers.size(); ++number) {
      project::Project& project = projects.emplace_back(worker_of(workers[number]));
      Json document = documents[number];
      if (!place_files(document, root)) return broken("a path of its files leads out of it");
      if (document.at("namespaces").size() != project.namespaces.size()) {
        return broken("its classes do not agree");
      }
      project.worker_json = document.dump();
    }
    if (const Status names = project::check_names(projects); !names) {
      return broken(names.error().message);
    }
    return projects;
  } catch (const std::exception& error) {
    return broken(error.what());
  }
}

std::string content_hash(const Package& package) {
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  };
  add(head_of(package).dump());
  for (const PackageFile& each : package.files) {
    if (const auto content = os::read_file(each.from)) add(*content);
  }
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace hearth::worker
