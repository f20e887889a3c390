// The versions of the code that a state directory keeps, <state>/versions/<id>/: each whole, so
// that it can be served again without its sources. Bounded: the oldest go, but never the current
// one nor the one before it. Which is current is in the registry, changed together with what the
// version's migrations change. Loop thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/registry.h"
#include "worker/package.h"

namespace hearth::worker {

inline constexpr std::size_t kVersionsMax = 10;

struct Version {
  std::string id;
  std::int64_t created_ms = 0;
  std::string message;
  std::string source;  // who or what brought it
  bool current = false;
};

class VersionStore {
 public:
  VersionStore(const std::filesystem::path& state, core::Registry& registry)
      : folder_(state / "versions"), secrets_(state / "secrets.json"), registry_(registry) {}

  // The newest first.
  std::vector<Version> list() const;
  // The same as the admin interface and `hearth versions` tell it: {"versions": [{id, createdMs,
  // message, source, current}]}.
  nlohmann::ordered_json listed() const;
  std::string current() const { return registry_.current_version(); }
  bool has(std::string_view id) const;
  std::filesystem::path folder_of(std::string_view id) const { return folder_ / id; }
  Result<nlohmann::ordered_json> manifest(std::string_view id) const;
  // By its id or the beginning of it; empty: the one that was current before. kNotFound.
  Result<std::string> find(std::string_view id) const;

  // Keeps a version; its id. One whose content is the current one's is not kept twice.
  Result<std::string> keep(const Package& package, std::string_view message,
                           std::string_view source, std::int64_t now_ms);
  Result<std::string> keep(std::string_view bytes, std::int64_t now_ms);
  // The current one's id if it holds the same, else empty. Writes nothing.
  std::string current_if_same(const Package& package) const;
  void remove(std::string_view id) const;
  // After another one became current.
  void prune() const;

  // What was given with deploys, by name; a file that its owner alone can read.
  std::map<std::string, std::string> secrets() const;
  Status add_secrets(const std::map<std::string, std::string>& given) const;

 private:
  Result<std::string> settle(const std::filesystem::path& incoming, nlohmann::ordered_json manifest,
                             std::int64_t now_ms) const;

  std::filesystem::path folder_;
  std::filesystem::path secrets_;
  core::Registry& registry_;
};

}  // namespace hearth::worker
