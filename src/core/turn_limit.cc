#include "core/turn_limit.h"

#include <algorithm>
#include <utility>

namespace hearth::core {

namespace {
constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint32_t kLookMsLeast = 10;
constexpr std::uint32_t kLookMsMax = 1'000;
// For the stack to be taken and written, of the host's own time.
constexpr std::int64_t kStackMs = 3'000;
}  // namespace

TurnLimit::TurnLimit(const os::World& world, const Supervisor& supervisor, Explained explained,
                     Over on_over)
    : world_(world),
      supervisor_(supervisor),
      explained_(std::move(explained)),
      on_over_(std::move(on_over)) {}

TurnLimit::~TurnLimit() {
  world_.loop.cancel(timer_);
}

void TurnLimit::set_limit(std::uint32_t limit_ms) {
  limit_ms_ = limit_ms;
  arm();
}

void TurnLimit::start() {
  running_ = true;
  arm();
}

void TurnLimit::stop() {
  running_ = false;
  world_.loop.cancel(timer_);
}

void TurnLimit::arm() {
  world_.loop.cancel(timer_);
  if (!running_ || limit_ms_ == 0) return;
  timer_ =
      world_.loop.after(std::clamp(limit_ms_ / 4, kLookMsLeast, kLookMsMax), [this] { look(); });
}

void TurnLimit::look() {
  supervisor_.for_each_host([this](Host& host) {
    if (host.takes_events()) look_at(host);
  });
  arm();
}

void TurnLimit::look_at(Host& host) {
  const std::uint64_t heartbeat = host.heartbeat();
  const std::uint64_t used_ns = host.main_thread_cpu_ns();
  Host::Turn& turn = host.turn;
  if (turn.heartbeat != heartbeat || used_ns < turn.used_before_ns) {
    turn = {heartbeat, used_ns, {}};
    return;
  }
  const std::uint64_t used_ms = (used_ns - turn.used_before_ns) / kNsPerMs;
  if (used_ms < limit_ms_) return;
  const std::int64_t now_ms = host.running_clock_ms();
  if (!turn.over_since_ms) turn.over_since_ms = now_ms;
  if (!explained_(host) && now_ms - *turn.over_since_ms < kStackMs) return;
  on_over_(host, static_cast<std::int64_t>(used_ms));
}

}  // namespace hearth::core
