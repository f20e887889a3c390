#include "core/router.h"

#include <algorithm>
#include <cstring>

namespace hearth::core {

namespace {
constexpr std::size_t kRememberedNamesMax = 4096;
constexpr std::string_view kPrefix = "/agents/";
}  // namespace

std::string_view path_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
    url.remove_prefix(std::min(url.find('/'), url.size()));
  }
  return url.substr(0, url.find_first_of("?#"));
}

std::optional<AgentPath> agent_path(std::string_view url) {
  url = path_of(url);
  if (!url.starts_with(kPrefix)) return std::nullopt;
  url.remove_prefix(kPrefix.size());
  const std::size_t slash = url.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  AgentPath path{url.substr(0, slash), url.substr(slash + 1)};
  path.name = path.name.substr(0, path.name.find('/'));
  if (path.segment.empty() || path.name.empty()) return std::nullopt;
  return path;
}

void Router::configure(const Deployment& deployment) {
  routes_ = deployment.routes;
  ids_.clear();
  heads_.clear();
  for (const NamespaceInfo& each : deployment.namespaces) ids_.emplace_back(each.unique_key);
}

const Route* Router::route(std::string_view segment) const {
  for (const Route& route : routes_) {
    if (route.segment == segment) return &route;
  }
  return nullptr;
}

std::optional<unsigned> Router::slot_of(std::string_view url, unsigned host_count) {
  const std::optional<AgentPath> path = agent_path(url);
  if (!path) return std::nullopt;
  const Route* found = route(path->segment);
  if (found == nullptr || found->name_space >= ids_.size()) return std::nullopt;
  if (host_count == 1) return 0;
  std::string key(path->segment);
  key += '/';
  key += path->name;
  const auto remembered = heads_.find(key);
  if (remembered != heads_.end()) return static_cast<unsigned>(remembered->second % host_count);
  const wire::AgentIdBytes id = ids_[found->name_space].from_name(path->name);
  std::uint64_t head;
  std::memcpy(&head, id.data(), sizeof head);
  if (heads_.size() >= kRememberedNamesMax) heads_.clear();
  heads_.emplace(std::move(key), head);
  return wire::owning_slot(id, host_count);
}

}  // namespace hearth::core
