#include "core/engine.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace hearth::core {

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
      copies_(world.loop, [this](const AgentId& agent) { return host_of(agent); }),
      supervisor_(options_.supervisor, world, launcher, report, *this),
      cpu_limit_(options_.host_cpu_percent, world_, supervisor_,
                 [this](Host& host, std::int64_t held_ms, std::int64_t within_ms) {
                   on_held(host, held_ms, within_ms);
                 }),
      stopped_hosts_(world, supervisor_,
                     std::min(options_.stopped_ms_max, options_.blocked_ms_max)),
      turn_limit_(
          world_, supervisor_,
          [this](const Host& host) { return std::filesystem::exists(blocked_file(host)); },
          [this](Host& host, std::int64_t used_ms) { end_overspent(host, used_ms); }) {}

Engine::~Engine() {
  world_.loop.cancel(cron_timer_);
  world_.loop.cancel(early_timer_);
  world_.loop.cancel(deadline_timer_);
  world_.loop.cancel(departure_timer_);
  world_.loop.cancel(watchdog_timer_);
  world_.loop.cancel(memory_timer_);
  world_.loop.cancel(room_timer_);
  requests_.for_each([](PendingRequest& request) { delete &request; });
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
  cpu_limit_.stop();
  turn_limit_.stop();
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
