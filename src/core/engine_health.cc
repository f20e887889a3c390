// How the engine is, for who watches it from outside.
#include "core/engine.h"
#include "core/health.h"

namespace hearth::core {
namespace {

std::string_view name_of(HostState state) {
  switch (state) {
    case HostState::kStarting:
      return "starting";
    case HostState::kWarm:
      return "warm";
    case HostState::kActive:
      return "active";
    case HostState::kLeaving:
      return "leaving";
    case HostState::kDraining:
      return "draining";
    case HostState::kEnded:
      return "ended";
  }
  return "";
}

}  // namespace

void Engine::note(const Agent* agent, std::string_view what, std::uint64_t connection,
                  std::string_view message) {
  if (!report_.wants(Level::kDebug)) return;
  const std::string name = agent != nullptr ? label(*agent) : std::string();
  report_.tell({.level = Level::kDebug,
                .message = message,
                .agent = name,
                .what = what,
                .connection = connection});
}

// R417, and once a minute is often enough: a host may be held all the time.
void Engine::on_held(Host& host, std::int64_t held_ms, std::int64_t within_ms) {
  const Agent* agent = at_work(host);
  const std::string what = "was stopped for " + std::to_string(held_ms) + " ms of the last " +
                           std::to_string(within_ms / 1'000) + " s, to use no more than " +
                           std::to_string(cpu_limit_.percent()) + " % of a core";
  const Fault fault = fault_of("R417", 503, "host " + std::to_string(host.number) + " " + what);
  const std::string name = agent != nullptr ? label(*agent) : std::string();
  const std::string message = fault.message + (name.empty() ? "" : "; " + name + " was at work");
  report_.tell({.level = Level::kWarn,
                .message = message,
                .code = fault.code,
                .agent = name,
                .fix = fault.fix});
  if (agent != nullptr) record(agent->id, LedgerKind::kHeld, what, {.host = host.number});
}

Health Engine::health() const {
  Health health;
  health.host_cpu_percent = cpu_limit_.percent();
  supervisor_.for_each_host([&](const Host& host) {
    HostHealth each{
        .number = host.number, .state = name_of(host.state), .slot = host.slot, .pid = host.pid()};
    each.cpu_ms = host.cpu_ns() / 1'000'000;
    each.held_ms = host.held_ms();
    if (host.takes_events()) {
      each.active_ms = world_.clock.steady_ms() - host.active_since_ms;
      each.in_flight = host.in_flight();
    }
    health.hosts.push_back(each);
  });
  bool served = serving_ && !stopping_;
  for (unsigned slot = 0; slot < mailboxes_.size(); ++slot) {
    const bool active = supervisor_.active(slot) != nullptr;
    health.slots.push_back({active, pending(slot)});
    served = served && active;
  }
  health.ready = served;
  if (!served) {
    const Fault unavailable =
        fault_from_json(supervisor_.unavailable(), {.message = "hosts are starting"});
    health.reason = stopping_      ? "it is shutting down"
                    : build_fault_ ? build_fault_->code + ": " + build_fault_->message
                                   : unavailable.message;
  }
  agents_.for_each([&](const Agent& agent) { health.agents_awake += agent.host != nullptr; });
  health.connections = connections_.size();
  health.requests = requests_.size();
  return health;
}

}  // namespace hearth::core
