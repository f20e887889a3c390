#include "server/descriptor_watch.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "os/descriptor.h"

namespace hearth::server {

namespace {
constexpr std::uint64_t kLowLimit = 4'096;
constexpr std::uint64_t kReserved = 64;  // enough to start hosts and to write the registry
constexpr std::int64_t kQuietMs = 60'000;
constexpr const char* kCure =
    "raise it with `ulimit -n 65536` before the start, LimitNOFILE=65536 in the systemd unit, or "
    "--ulimit nofile=65536 of a container";
}  // namespace

void DescriptorWatch::at_start() {
  limit_ = os::raise_descriptor_limit();
  if (limit_ == 0 || limit_ >= kLowLimit) return;
  report_.say(core::Level::kWarn, "this process may have " + std::to_string(limit_) +
                                      " descriptors open, one for each client, so fewer than " +
                                      std::to_string(for_clients()) + " clients fit; " + kCure);
}

std::uint32_t DescriptorWatch::for_clients() const {
  const std::uint64_t kept = limit_ - std::min(kReserved, limit_ / 8);
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(kept, std::numeric_limits<std::uint32_t>::max()));
}

void DescriptorWatch::on_accepting(int error, std::uint64_t open) {
  const std::string clients = std::to_string(open) + " are connected";
  if (error == 0) {
    if (told_) report_.say(core::Level::kInfo, "new clients are accepted again; " + clients);
    told_ = false;
    return;
  }
  const std::int64_t now_ms = clock_.steady_ms();
  if (told_ || (said_ms_ != 0 && now_ms - said_ms_ < kQuietMs)) return;
  told_ = true;
  said_ms_ = now_ms;
  std::string text = "no more clients can be accepted (";
  text += std::strerror(error);
  text += "): " + clients + ", new ones wait until some leave";
  if (limit_ != 0) text += "; the limit is " + std::to_string(limit_) + " descriptors: ";
  report_.say(core::Level::kWarn, limit_ != 0 ? text + kCure : text);
}

}  // namespace hearth::server
