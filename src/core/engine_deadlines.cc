// R408: requests whose handler has not answered in the time that it has. Counted until the response
// begins; what follows of a stream may take as long as it takes, and so may the handlers of
// messages, alarms and schedules.
#include <algorithm>
#include <vector>

#include "core/engine.h"

namespace hearth::core {

namespace {
// A request may wait for so much longer than it should.
constexpr std::uint32_t kLookMsMax = 1'000;
}  // namespace

void Engine::watch_deadlines() {
  if (options_.answer_ms_max == 0) return;
  const std::uint32_t period_ms = std::clamp(options_.answer_ms_max / 4, 10U, kLookMsMax);
  deadline_timer_ = world_.loop.after(period_ms, [this] { end_overdue_requests(); });
}

void Engine::end_overdue_requests() {
  const std::int64_t before_ms = world_.clock.steady_ms() - options_.answer_ms_max;
  std::vector<PendingRequest*> overdue;
  requests_.for_each([&](PendingRequest& request) {
    if (!request.head_sent && request.since_ms <= before_ms) overdue.push_back(&request);
  });
  for (PendingRequest* request : overdue) {
    const std::int64_t waited_ms = world_.clock.steady_ms() - request->since_ms;
    const std::optional<AgentPath> path = agent_path(request->url);
    const Route* route = path ? router_.route(path->segment) : nullptr;
    std::string handler = "the worker's fetch";
    if (route != nullptr) {
      handler += ", for " + label(AgentId{route->name_space, {}}, std::string(path->name)) + ",";
    }
    const Fault fault =
        fault_of("R408", 504,
                 handler + " has not answered " + request->method + " " +
                     request->url.substr(0, 200) + " for " + std::to_string(waited_ms / 1'000) +
                     " s" + (request->host == nullptr ? "; no host has taken it" : ""));
    if (request->host != nullptr) {
      request->host->send(wire::RequestGone{request->id, "R408: the handler passed its deadline"});
    }
    answer_and_close(*request, fault);
  }
  watch_deadlines();
}

}  // namespace hearth::core
