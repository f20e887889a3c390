// Memory: a host that comes near its limit makes room for another one between events, and its
// agents move there; one that passes it is ended, and says so. Looked at often, as code that
// allocates without end is fast.
#include "core/engine.h"

namespace hearth::core {

namespace {
constexpr std::uint32_t kLookMs = 250;
// From here on a host is replaced; the rest is for what happens until then.
constexpr std::uint64_t kSoftPercent = 75;
// A host that is new is not replaced by another one, which would be as large.
constexpr std::int64_t kYoungMs = 10'000;

std::string megabytes(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MB";
}
}  // namespace

void Engine::watch_memory() {
  if (options_.host_memory_bytes == 0 || stopping_) return;
  memory_timer_ = world_.loop.after(kLookMs, [this] { look_at_memory(); });
}

void Engine::look_at_memory() {
  // Those that leave or drain too: what is at work there may be what takes it all.
  std::vector<Host*> looked_at;
  supervisor_.for_each_host([&](Host& host) {
    if (host.has_slot()) looked_at.push_back(&host);
  });
  for (Host* host : looked_at) look_at_memory(*host);
  watch_memory();
}

void Engine::look_at_memory(Host& host) {
  const std::uint64_t limit = options_.host_memory_bytes;
  const std::uint64_t bytes = host.resident_bytes();
  if (bytes >= limit) {
    const std::string why = "it held " + megabytes(bytes) + " of memory, and " + megabytes(limit) +
                            " is what --host-memory allows";
    const Agent* agent = at_work(host);
    host.kill(why + (agent != nullptr ? "; " + label(*agent) + " was at work" : ""));
  } else if (bytes >= limit / 100 * kSoftPercent && host.state == HostState::kActive &&
             host.why_replaced.empty() &&
             world_.clock.steady_ms() - host.active_since_ms >= kYoungMs) {
    const std::string why = "it held " + megabytes(bytes) + " of memory, near the " +
                            megabytes(limit) + " that --host-memory allows";
    report_.say(Level::kInfo, "host " + std::to_string(host.number) +
                                  " makes room for another between events: " + why);
    supervisor_.replace(host, why);
  }
}

}  // namespace hearth::core
