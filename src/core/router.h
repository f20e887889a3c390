// Which host slot a request belongs to, and which agents there are: the deployment's namespaces and
// the URL segments under which the SDK's routeAgentRequest serves them. A hint for placement, never
// for meaning: a request that goes to another slot still finds its agent, one hop later. Loop
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "wire/agent_ids.h"

namespace hearth::core {

struct NamespaceInfo {
  std::string class_name;
  std::string unique_key;
};

struct Route {
  std::string segment;  // "coder-agent"
  std::string binding;
  std::uint16_t name_space = 0;
  std::string where{};  // of the binding's name: "wrangler.jsonc:10:17"
  std::string class_name{};
};

struct CronTrigger {
  std::string expression;
  std::uint16_t worker = 0;  // its number in the worker document
};

// What is deployed, as the core needs to know it: one worker that gets the requests, and maybe
// others that it is bound to.
struct Deployment {
  std::string worker_json;
  std::vector<NamespaceInfo> namespaces;
  std::vector<Route> routes;
  std::vector<CronTrigger> crons;
  std::uint32_t cpu_ms_max = 0;  // of one turn of a host's event loop; 0: any
  // In the place of EngineOptions's; absent: that one.
  std::optional<std::uint32_t> blocked_ms_max{};
  // Migrations concern stored agents: none may be at the former code's when this one's begins.
  bool whole_move = false;
};

// "/agents/:segment/:name/…" in the path of a URL.
struct AgentPath {
  std::string_view segment;
  std::string_view name;
};
std::optional<AgentPath> agent_path(std::string_view url);
// Without scheme, host, query and fragment.
std::string_view path_of(std::string_view url);

class Router {
 public:
  void configure(const Deployment& deployment);
  // The slot that owns the agent which the URL names, if it names one that is served.
  std::optional<unsigned> slot_of(std::string_view url, unsigned host_count);
  const Route* route(std::string_view segment) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  std::vector<wire::AgentIds> ids_;  // by namespace
  // Names that were asked for lately: an HMAC costs more than all the rest of routing.
  std::unordered_map<std::string, std::uint64_t> heads_;
};

}  // namespace hearth::core
