// One deployment after another: what is served changes when the new code has loaded, and not
// before.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/engine.h"

namespace hearth::core {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint16_t kDeletedClose = 4410;
// A request that lasts so long is worth waiting for.
constexpr std::int64_t kLongRequestMs = 1'000;

void renumber_bindings(Json& worker, const std::vector<std::uint16_t>& moved_to) {
  for (auto& binding : worker["bindings"]) {
    const auto number = binding.find("namespace");
    if (number == binding.end() || !number->is_number_unsigned()) continue;
    const auto index = number->get<std::size_t>();
    if (index < moved_to.size()) *number = moved_to[index];
  }
}

// A namespace keeps its number for as long as the core runs: agents and sockets are known by it.
// Those that a reload moved are put back, those that it dropped stay as places that are marked.
void keep_namespace_numbers(const std::vector<NamespaceInfo>& before, Deployment& deployment) {
  std::vector<NamespaceInfo> stable = before;
  std::vector<std::uint16_t> moved_to;
  for (const NamespaceInfo& each : deployment.namespaces) {
    const auto found = std::find_if(stable.begin(), stable.end(), [&](const NamespaceInfo& other) {
      return other.unique_key == each.unique_key;
    });
    moved_to.push_back(static_cast<std::uint16_t>(found - stable.begin()));
    if (found == stable.end()) {
      stable.push_back(each);
    } else {
      found->class_name = each.class_name;
    }
  }
  Json json = Json::parse(deployment.worker_json, nullptr, false);
  if (!json.is_object() || !json["namespaces"].is_array() ||
      json["namespaces"].size() != moved_to.size()) {
    return;
  }
  Json namespaces = Json::array();
  for (const NamespaceInfo& each : stable) {
    namespaces.push_back({{"className", each.class_name},
                          {"uniqueKey", each.unique_key},
                          {"sqlite", true},
                          {"removed", true}});
  }
  for (std::size_t i = 0; i < moved_to.size(); ++i) namespaces[moved_to[i]] = json["namespaces"][i];
  json["namespaces"] = namespaces;
  renumber_bindings(json, moved_to);
  if (json.contains("workers")) {
    for (Json& worker : json["workers"]) renumber_bindings(worker, moved_to);
  }
  for (Route& route : deployment.routes) {
    if (route.name_space < moved_to.size()) route.name_space = moved_to[route.name_space];
  }
  deployment.namespaces = std::move(stable);
  deployment.worker_json = json.dump();
}

}  // namespace

std::uint64_t Engine::deploy(Deployment deployment) {
  if (stopping_) return 0;
  build_fault_.reset();
  if (!std::exchange(deployed_, true)) {
    adopt(std::move(deployment));
    if (!held_) meet_registry();
    return supervisor_.deploy(deployment_.worker_json);
  }
  keep_namespace_numbers(deployment_.namespaces, deployment);
  std::string document = deployment.worker_json;
  const bool whole = deployment.whole_move;
  next_ = std::move(deployment);
  return next_number_ = supervisor_.deploy(std::move(document), whole);
}

void Engine::adopt(Deployment deployment) {
  deployment_ = std::move(deployment);
  router_.configure(deployment_);
  turn_limit_.set_limit(deployment_.cpu_ms_max);
  if (ledger_ != nullptr) {
    std::vector<std::string> keys;
    for (const NamespaceInfo& each : deployment_.namespaces) keys.push_back(each.unique_key);
    ledger_->set_namespaces(std::move(keys));
  }
  start_crons();
}

void Engine::on_loaded(const Document& document, std::string_view json) {
  if (next_ && document.version == next_number_) {
    adopt(std::move(*next_));
    next_.reset();
  }
  hooks_.on_loaded(document.version, json);
}

void Engine::on_load_failed(const Document& document, std::string_view json) {
  if (document.version == next_number_) next_.reset();
  hooks_.on_load_failed(document.version, json);
}

void Engine::on_switched(const Document& document) {
  hooks_.on_switched(document.version);
}

void Engine::on_failing(const Document& document, std::string_view ending) {
  hooks_.on_failing(document.version, ending);
}

bool Engine::is_quiet(const Host& host) const {
  bool quiet = true;
  agents_.for_each([&](const Agent& agent) {
    if (agent.host == &host && agent.working) quiet = false;
  });
  const std::int64_t now_ms = world_.clock.steady_ms();
  requests_.for_each([&](const PendingRequest& request) {
    if (request.host == &host && now_ms - request.since_ms >= kLongRequestMs) quiet = false;
  });
  return quiet;
}

void Engine::close_class(std::string_view unique_key) {
  for (std::size_t number = 0; number < deployment_.namespaces.size(); ++number) {
    if (deployment_.namespaces[number].unique_key != unique_key) continue;
    alarms_.forget(static_cast<std::uint16_t>(number));
    connections_.for_each([&](Connection& connection) {
      const bool its = connection.agent != nullptr && connection.agent->id.name_space == number;
      if (!its || !connection.hibernatable || connection.orphaned || connection.early) return;
      orphan(connection, kDeletedClose, "the agent's class was deleted by a migration");
    });
  }
}

}  // namespace hearth::core
