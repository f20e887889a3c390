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

Health Engine::health() const {
  Health health;
  supervisor_.for_each_host([&](const Host& host) {
    HostHealth each{
        .number = host.number, .state = name_of(host.state), .slot = host.slot, .pid = host.pid()};
    if (host.state == HostState::kActive) {
      each.active_ms = world_.clock.steady_ms() - host.active_since_ms;
      each.in_flight = in_flight(host.slot);
    }
    health.hosts.push_back(each);
  });
  bool served = serving_ && !stopping_;
  for (unsigned slot = 0; slot < mailboxes_.size(); ++slot) {
    const bool active = supervisor_.active(slot) != nullptr;
    health.slots.push_back({active, mailboxes_[slot].pending.size()});
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
