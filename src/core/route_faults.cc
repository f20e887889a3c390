#include "core/route_faults.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "project/nearest.h"
#include "project/project.h"

namespace hearth::core {

namespace {

constexpr std::size_t kRoutesToldMax = 8;
constexpr std::size_t kQuotedMax = 80;
constexpr std::size_t kAnswerQuotedMax = 200;

// What a client wrote may be of any length.
std::string shown(std::string_view text) {
  return std::string(text.substr(0, kQuotedMax)) + (text.size() > kQuotedMax ? "..." : "");
}

std::string place(const Route& route) {
  return "binding " + route.binding + (route.where.empty() ? "" : ", " + route.where);
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) parts.push_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

// The route that was most likely meant: by the SDK's own rule, or by how it is spelt.
const Route* nearest_route(const Router& router, std::string_view segment) {
  if (const Route* same = router.route(project::url_segment(segment))) return same;
  std::vector<std::string> names;
  for (const Route& route : router.routes()) names.push_back(route.segment);
  for (const Route& route : router.routes()) names.push_back(route.binding);
  const std::optional<std::string> found = project::nearest(segment, names);
  if (!found) return nullptr;
  const auto at = std::find(names.begin(), names.end(), *found) - names.begin();
  return &router.routes()[static_cast<std::size_t>(at) % router.routes().size()];
}

std::string served(const Router& router) {
  std::string list;
  std::size_t told = 0;
  for (const Route& route : router.routes()) {
    if (told++ == kRoutesToldMax) return list + ", ...";
    list += (list.empty() ? "/agents/" : ", /agents/") + route.segment + "/:name (" + place(route) +
            ")";
  }
  return list;
}

constexpr std::string_view kBindOne =
    "No agent is bound: add \"durable_objects\": { \"bindings\": [{ \"name\": \"MyAgent\", "
    "\"class_name\": \"MyAgent\" }] } to the configuration.";

}  // namespace

Fault unknown_agent(const Router& router, std::string_view url, std::string_view segment) {
  const std::string_view path = path_of(url);
  Fault fault = fault_of("R401", 404);
  if (segment.empty()) {
    fault.message = "no part of " + shown(path) + " is the segment of a served agent";
  } else {
    // As the client asked for it, under whichever prefix.
    const std::size_t at = path.find("/" + std::string(segment) + "/");
    const std::string_view prefix =
        at == std::string_view::npos ? std::string_view("/agents") : path.substr(0, at);
    fault.message = "no agent is served at " + shown(prefix) + "/" + shown(segment);
  }
  if (router.routes().empty()) {
    fault.fix = kBindOne;
    return fault;
  }
  const Route* meant = segment.empty() ? nullptr : nearest_route(router, segment);
  if (meant == nullptr && router.routes().size() == 1) meant = &router.routes().front();
  fault.fix.clear();
  if (meant != nullptr) {
    fault.where = meant->where;
    fault.message += "; nearest: /agents/" + meant->segment + " (" + place(*meant) + ")";
    fault.fix = "Let the client ask for agent: \"" + meant->segment + "\"";
    if (!segment.empty() && project::url_segment(segment) == segment &&
        segment.find('%') == std::string_view::npos) {
      fault.fix += ", or name the binding \"" + shown(segment) + "\"";
    }
    fault.fix += ". ";
  }
  fault.fix += "Served: " + served(router) + ".";
  return fault;
}

std::optional<Fault> no_agent_here(const Router& router, std::string_view url) {
  const std::string_view path = path_of(url);
  const std::vector<std::string_view> parts = parts_of(path);
  if (parts.empty() || router.routes().empty()) return std::nullopt;
  Fault fault = fault_of("R402", 404);
  if (parts.front() == "agents") {
    if (parts.size() > 2) return std::nullopt;
    if (parts.size() == 1) {
      fault.message = shown(path) + " names no agent";
      fault.fix = "Served: " + served(router) + ".";
      return fault;
    }
    if (router.route(parts[1]) == nullptr) {
      fault = unknown_agent(router, url, parts[1]);
      return fault;
    }
    fault.message = shown(path) + " names an agent and no instance";
    fault.fix = "Ask for /agents/" + std::string(parts[1]) +
                "/NAME; the SDK's client does so when " + "it is given a name.";
    return fault;
  }
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const Route* route = router.route(parts[i]);
    if (route == nullptr) continue;
    const std::string prefix(
        path.substr(1, std::max<std::ptrdiff_t>(parts[i].data() - path.data() - 2, 0)));
    fault.where = route->where;
    fault.message = shown(path) + " is not under /agents/, where " + route->binding + " is served";
    fault.fix = "Ask for /agents/" + route->segment + "/" + shown(parts[i + 1]);
    if (!prefix.empty()) {
      fault.fix +=
          ", or call routeAgentRequest(request, env, { prefix: \"" + shown(prefix) + "\" })";
    }
    fault.fix += ".";
    return fault;
  }
  return std::nullopt;
}

Fault unbound(const Router& router, std::string_view binding, bool as_text) {
  const std::string name = shown(binding);
  Fault fault = fault_of("R403", 500, "env." + name + " is undefined: nothing binds it");
  if (as_text) {
    fault.fix = "Give it a value: a secret as " + name +
                "=... in .dev.vars (on a server: hearth deploy --secret " + name +
                "=...), a variable in vars of the configuration.";
    return fault;
  }
  std::vector<std::string> names;
  for (const Route& route : router.routes()) names.push_back(route.binding);
  const std::optional<std::string> near = project::nearest(binding, names);
  const Route* meant = nullptr;
  for (const Route& route : router.routes()) {
    if (near == route.binding) meant = &route;
  }
  if (meant != nullptr) {
    fault.message += "; nearest: env." + meant->binding +
                     (meant->where.empty() ? "" : " (" + meant->where + ")");
    fault.fix = "Write env." + meant->binding +
                ", or add to durable_objects.bindings: { \"name\": \"" + name +
                "\", \"class_name\": \"" + meant->class_name + "\" }.";
    return fault;
  }
  fault.fix =
      "Add to durable_objects.bindings: { \"name\": \"" + name +
      "\", \"class_name\": \"...\" }; if it is a variable, to vars, and a secret to .dev.vars.";
  return fault;
}

bool is_sdk_refusal(const Router& router, std::string_view url, std::uint16_t status,
                    std::string_view body) {
  if (status != 400 || body != "Invalid request") return false;
  const std::optional<AgentPath> path = agent_path(url);
  return path && router.route(path->segment) == nullptr;
}

Fault overloaded(std::string message) {
  Fault fault = fault_of("R415", 503, std::move(message));
  fault.retry_after_s = 1;
  fault.in_the_open = true;
  return fault;
}

Fault handler_fault(const Router& router, std::string_view url, std::string_view json) {
  Fault fault = fault_from_json(json, fault_of("R407", 500));
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  const auto detail = [&](const char* key) {
    const auto found = parsed.find(key);
    return found != parsed.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!parsed.is_object()) return fault;
  if (fault.code == "R401") {
    const std::optional<AgentPath> named = agent_path(url);
    std::string segment = detail("segment");
    if (segment.empty() && named) segment = named->segment;
    return unknown_agent(router, url, segment);
  }
  if (fault.code == "R405") fault.close = 4500;  // a socket that is lost once is lost every time
  // The host knows an error that is a mistake in the code.
  const auto lasting = parsed.find("lasting");
  if (fault.code == "R407" && lasting != parsed.end() && *lasting == true) fault.close = 4500;
  if (fault.code == "R403") {
    const auto text = parsed.find("text");
    Fault named = unbound(router, detail("binding"), text != parsed.end() && *text == true);
    named.where = fault.where;
    named.stack = fault.stack;
    return named;
  }
  if (fault.code == "R415") return overloaded(fault.message);
  const std::optional<AgentPath> path = agent_path(url);
  if (fault.message == "Cannot read properties of undefined (reading 'idFromName')" && path &&
      router.route(path->segment) == nullptr) {
    return unknown_agent(router, url, path->segment);
  }
  return fault;
}

Fault refused_upgrade(const Router& router, std::string_view url, std::uint16_t status,
                      std::string_view body) {
  const std::string_view line = body.substr(0, body.find('\n'));
  std::string answer = std::to_string(status);
  if (!line.empty() && line.size() <= kAnswerQuotedMax) answer += ": " + std::string(line);
  const std::optional<AgentPath> path = agent_path(url);
  if (is_sdk_refusal(router, url, status, body)) return unknown_agent(router, url, path->segment);
  if (status == 401 || status == 403) {
    Fault fault = fault_of("R410", status, "the worker refused the WebSocket with " + answer,
                           "Send the credentials that the worker asks for in its fetch, in "
                           "onBeforeConnect or in onConnect.");
    fault.in_the_open = true;
    return fault;
  }
  if (status < 500 && path && router.route(path->segment) == nullptr) {
    Fault fault = unknown_agent(router, url, path->segment);
    fault.message += "; the worker answered " + answer;
    return fault;
  }
  if (status == 404) {
    if (std::optional<Fault> fault = no_agent_here(router, url)) return *fault;
    Fault fault = fault_of(
        "R402", 404, shown(path_of(url)) + " reaches no agent: the worker answered " + answer);
    if (!router.routes().empty()) {
      // In the message too: a WebSocket's client gets little more.
      fault.message += "; served: /agents/" + router.routes().front().segment + "/:name";
      if (router.routes().size() > 1) fault.message += ", ...";
      fault.fix = "Served: " + served(router) + ".";
    }
    return fault;
  }
  // A plain answer where a socket was asked for: no client would see it.
  return fault_of("R405", status < 400 ? 426 : status,
                  "the worker answered the WebSocket upgrade with " + answer + " instead of 101");
}

}  // namespace hearth::core
