#include "core/stopped_hosts.h"

#include <string>
#include <vector>

namespace hearth::core {

namespace {
constexpr std::uint32_t kLooks = 4;  // until it is ended
}  // namespace

void StoppedHosts::start() {
  if (stopped_ms_max_ == 0) return;
  stop();
  timer_ = world_.loop.after(stopped_ms_max_ / kLooks, [this] { look(); });
}

// Counted in looks and not by the clock: whoever stops hearth and all its processes for a while,
// and lets them go on one after the other, means none of them.
void StoppedHosts::look() {
  std::vector<Host*> ended;
  supervisor_.for_each_host([&](Host& host) {
    host.looks_stopped = host.stopped() ? host.looks_stopped + 1 : 0;
    if (host.looks_stopped >= kLooks) ended.push_back(&host);
  });
  for (Host* host : ended) {
    host->kill("it was stopped by a signal (SIGSTOP or the like), and nothing let it go on for " +
               std::to_string(stopped_ms_max_) + " ms");
  }
  start();
}

}  // namespace hearth::core
