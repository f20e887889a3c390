#include "worker/versions.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "os/files.h"

namespace hearth::worker {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kIncoming[] = ".incoming";

Error unwritable(const fs::path& path, const std::string& why) {
  return Error{ErrorCode::kIo, path.string() + ": " + why};
}

// Whole or not at all; only its owner can read it.
Status write_private(const fs::path& path, const std::string& text) {
  const std::string next = path.string() + ".new";
  const int file = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return unwritable(next, "cannot be written");
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  ::close(file);
  if (!written || ::rename(next.c_str(), path.c_str()) != 0) {
    return unwritable(path, "cannot be written");
  }
  return {};
}

}  // namespace

bool VersionStore::has(std::string_view id) const {
  std::error_code error;
  return !id.empty() && fs::exists(folder_ / id / kManifestName, error);
}

Result<Json> VersionStore::manifest(std::string_view id) const {
  auto text = os::read_file(folder_ / id / kManifestName);
  if (!text) return text.error();
  Json json = Json::parse(*text, nullptr, false);
  if (json.is_object()) return json;
  return Error{ErrorCode::kCorrupt, (folder_ / id / kManifestName).string() + " cannot be read"};
}

std::vector<Version> VersionStore::list() const {
  std::vector<Version> found;
  const std::string now = current();
  std::error_code error;
  for (const auto& each : fs::directory_iterator(folder_, error)) {
    const std::string id = each.path().filename().string();
    if (id.starts_with('.')) continue;
    const auto json = manifest(id);
    if (!json) continue;
    found.push_back({id, json->value("createdMs", std::int64_t{0}), json->value("message", ""),
                     json->value("source", ""), id == now});
  }
  std::sort(found.begin(), found.end(), [](const Version& a, const Version& b) {
    return std::tie(b.created_ms, b.id) < std::tie(a.created_ms, a.id);
  });
  return found;
}

Json VersionStore::listed() const {
  Json versions = Json::array();
  for (const Version& each : list()) {
    versions.push_back({{"id", each.id},
                        {"createdMs", each.created_ms},
                        {"message", each.message},
                        {"source", each.source},
                        {"current", each.current}});
  }
  return Json{{"versions", std::move(versions)}};
}

Result<std::string> VersionStore::find(std::string_view id) const {
  const std::vector<Version> all = list();
  const std::string now = current();
  if (id.empty()) {
    const std::string before = registry_.previous_version();
    if (has(before) && before != now) return before;
    return Error{ErrorCode::kNotFound, "no version before the current one is kept"};
  }
  std::vector<std::string> matches;
  for (const Version& each : all) {
    if (each.id.starts_with(id)) matches.push_back(each.id);
  }
  if (matches.size() == 1) return matches[0];
  return Error{ErrorCode::kNotFound,
               (matches.empty() ? "no version is called " : "several versions begin with ") +
                   std::string(id) + "; `hearth versions` lists them"};
}

Result<std::string> VersionStore::settle(const fs::path& incoming, Json manifest,
                                         std::int64_t now_ms) const {
  // Names of versions say when they came, so that folders are in their order.
  char id[24];
  const std::string hash = manifest.value("content", "");
  for (std::int64_t at = now_ms;; ++at) {
    std::snprintf(id, sizeof id, "%08llx",
                  static_cast<unsigned long long>((static_cast<std::uint64_t>(at) * 2654435761u ^
                                                   std::hash<std::string>{}(hash)) &
                                                  0xffffffffu));
    if (!has(id)) break;
  }
  manifest["id"] = id;
  manifest["createdMs"] = now_ms;
  std::ofstream file(incoming / kManifestName, std::ios::binary | std::ios::trunc);
  file << manifest.dump(2) << "\n";
  file.close();
  if (!file) return unwritable(incoming / kManifestName, "cannot be written");
  std::error_code error;
  fs::rename(incoming, folder_ / id, error);
  if (error) return unwritable(folder_ / id, error.message());
  return std::string(id);
}

std::string VersionStore::current_if_same(const Package& package) const {
  const std::string now = current();
  if (!has(now)) return {};
  const auto known = manifest(now);
  return known && known->value("content", "") == content_hash(package) ? now : std::string();
}

Result<std::string> VersionStore::keep(const Package& package, std::string_view message,
                                       std::string_view source, std::int64_t now_ms) {
  if (std::string same = current_if_same(package); !same.empty()) return same;
  const fs::path incoming = folder_ / kIncoming;
  std::error_code error;
  fs::remove_all(incoming, error);
  if (Status copied = copy_package(package, incoming); !copied) return copied.error();
  Json json = package.manifest;
  json["content"] = content_hash(package);
  json["message"] = message;
  json["source"] = source;
  return settle(incoming, std::move(json), now_ms);
}

Result<std::string> VersionStore::keep(std::string_view bytes, std::int64_t now_ms) {
  const fs::path incoming = folder_ / kIncoming;
  std::error_code error;
  fs::remove_all(incoming, error);
  auto json = unpack(bytes, incoming);
  if (json && !json->is_object()) json = Error{ErrorCode::kInvalid, "the manifest is no object"};
  if (!json) {
    fs::remove_all(incoming, error);
    return json.error();
  }
  if (json->contains("secrets") && (*json)["secrets"].is_object()) {
    std::map<std::string, std::string> given;
    for (const auto& [name, value] : (*json)["secrets"].items()) {
      if (value.is_string()) given[name] = value.get<std::string>();
    }
    if (Status kept = add_secrets(given); !kept) return kept.error();
  }
  json->erase("secrets");
  (*json)["source"] = json->value("from", "");
  return settle(incoming, std::move(*json), now_ms);
}

void VersionStore::remove(std::string_view id) const {
  if (id.empty() || id == current()) return;
  std::error_code ignored;
  fs::remove_all(folder_ / id, ignored);
}

void VersionStore::prune() const {
  const std::vector<Version> all = list();
  const std::string before = registry_.previous_version();
  std::size_t kept = 0;
  for (const Version& each : all) {
    if (each.current || each.id == before || ++kept <= kVersionsMax - 2) continue;
    remove(each.id);
  }
}

std::map<std::string, std::string> VersionStore::secrets() const {
  std::map<std::string, std::string> found;
  const auto text = os::read_file(secrets_);
  const Json json = text ? Json::parse(*text, nullptr, false) : Json();
  if (!json.is_object()) return found;
  for (const auto& [name, value] : json.items()) {
    if (value.is_string()) found[name] = value.get<std::string>();
  }
  return found;
}

Status VersionStore::add_secrets(const std::map<std::string, std::string>& given) const {
  if (given.empty()) return {};
  std::map<std::string, std::string> all = secrets();
  for (const auto& [name, value] : given) all[name] = value;
  return write_private(secrets_, Json(all).dump(2) + "\n");
}

}  // namespace hearth::worker
