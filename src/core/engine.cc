#include "core/engine.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace hearth::core {

namespace {

using Json = nlohmann::ordered_json;

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

Engine::Engine(EngineOptions options, EngineHooks hooks, const os::World& world,
               HostLauncher& launcher, Registry& registry, Report& report)
    : options_(std::move(options)),
      hooks_(std::move(hooks)),
      world_(world),
      registry_(registry),
      report_(report),
      mailboxes_(options_.supervisor.host_count),
      alarms_(world.clock, world.loop, *this),
      quarantine_(options_.quarantine_deaths),
      copies_(world.loop, [this](unsigned slot) { return supervisor_.active(slot); }),
      supervisor_(options_.supervisor, world, launcher, report, *this) {}

Engine::~Engine() {
  world_.loop.cancel(cron_timer_);
  world_.loop.cancel(early_timer_);
  world_.loop.cancel(deadline_timer_);
  world_.loop.cancel(watchdog_timer_);
  world_.loop.cancel(memory_timer_);
  requests_.for_each([](PendingRequest& request) { delete &request; });
}

std::uint64_t Engine::deploy(Deployment deployment) {
  if (stopping_) return 0;
  if (!deployment_.namespaces.empty()) {
    keep_namespace_numbers(deployment_.namespaces, deployment);
  }
  deployment_ = std::move(deployment);
  router_.configure(deployment_);
  if (!held_) meet_registry();
  if (ledger_ != nullptr) {
    std::vector<std::string> keys;
    for (const NamespaceInfo& each : deployment_.namespaces) keys.push_back(each.unique_key);
    ledger_->set_namespaces(std::move(keys));
  }
  build_fault_.reset();
  start_crons();
  return supervisor_.deploy(deployment_.worker_json);
}

void Engine::hold() {
  held_ = true;
  supervisor_.hold();
}

void Engine::meet_registry() {
  if (std::exchange(loaded_registry_, true)) return;
  load_alarms();
  find_unclean_agents();
}

void Engine::set_build_fault(std::optional<Fault> fault) {
  build_fault_ = std::move(fault);
  if (build_fault_) on_unavailable(build_fault_->message);
}

std::size_t Engine::in_flight(unsigned slot) const {
  Host* host = supervisor_.active(slot);
  return host == nullptr ? 0 : host->events().in_flight();
}

void Engine::stop(std::function<void()> done) {
  if (std::exchange(stopping_, true)) return;
  alarms_.stop();
  world_.loop.cancel(cron_timer_);
  world_.loop.cancel(watchdog_timer_);
  server_->stop(1001, "R413: the server is shutting down", options_.client_stop_ms,
                [this, done = std::move(done)]() mutable {
                  supervisor_.stop(options_.host_stop_ms, [this, done = std::move(done)] {
                    registry_.close();
                    done();
                  });
                });
}

const std::string& Engine::unique_key(const AgentId& agent) const {
  return deployment_.namespaces[agent.name_space].unique_key;
}

std::string Engine::label(const Agent& agent) const {
  return label(agent.id, agent.name);
}

}  // namespace hearth::core
