#include "core/cpu_limit.h"

#include <algorithm>
#include <utility>

namespace hearth::core {

namespace {
constexpr std::uint32_t kSoonMs = 1;
// Of stops, until it is worth a word; and how often it is said of a host.
constexpr std::int64_t kToldHeldMs = 1'000;
constexpr std::int64_t kToldAgainMs = 60'000;
}  // namespace

CpuLimit::CpuLimit(unsigned percent, const os::World& world, const Supervisor& supervisor,
                   Held on_held)
    : percent_(percent), world_(world), supervisor_(supervisor), on_held_(std::move(on_held)) {}

CpuLimit::~CpuLimit() {
  world_.loop.cancel(timer_);
}

void CpuLimit::start() {
  if (percent_ == 0) return;
  world_.loop.cancel(timer_);
  timer_ = world_.loop.after(kSoonMs, [this] { look(); });
}

void CpuLimit::stop() {
  world_.loop.cancel(timer_);
  supervisor_.for_each_host([](Host& host) { host.go_on(); });
}

void CpuLimit::look() {
  auto next_ms = static_cast<std::uint32_t>(CpuBudget::kPeriodMs);
  supervisor_.for_each_host([&](Host& host) {
    if (host.takes_events()) next_ms = std::min(next_ms, look_at(host));
  });
  timer_ = world_.loop.after(next_ms, [this] { look(); });
}

std::uint32_t CpuLimit::look_at(Host& host) {
  const std::int64_t now_ms = world_.clock.steady_ms();
  if (!host.cpu_budget) host.cpu_budget.emplace(percent_);
  if (host.cpu_budget->settle(now_ms, host.cpu_ns())) {
    host.go_on();
  } else {
    host.hold();
    tell(host);
  }
  return host.cpu_budget->look_again_ms(now_ms);
}

void CpuLimit::tell(Host& host) {
  const std::int64_t now_ms = world_.clock.steady_ms();
  const std::int64_t held_ms = host.held_ms() - host.held_told_ms;
  const std::int64_t since_ms = host.held_told_at_ms.value_or(host.active_since_ms);
  if (held_ms < kToldHeldMs) return;
  if (host.held_told_at_ms && now_ms - since_ms < kToldAgainMs) return;
  host.held_told_ms = host.held_ms();
  host.held_told_at_ms = now_ms;
  on_held_(host, held_ms, now_ms - since_ms);
}

}  // namespace hearth::core
