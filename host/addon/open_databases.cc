#include "open_databases.h"

#include <sys/resource.h>

#include <algorithm>

#include "host.h"

namespace hearth::addon {

namespace {

// The file, its log, and the log again for the syncer's thread.
constexpr std::size_t kDescriptorsEach = 3;
// For everything else that a host opens, user code's own sockets and files above all.
constexpr std::size_t kReservedMax = 1024;
constexpr std::size_t kOpenMin = 16;
// One more is opened at a time: a few looks find one to close, unless all are in use.
constexpr std::size_t kLooksMax = 64;
// Closing is the syncer's work, and the descriptors are free when it is done: of those that are
// allowed, one in so many may be on its way.
constexpr std::size_t kClosingShare = 4;

std::size_t limit_of_process() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kOpenMin;
  const auto descriptors = static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, 1U << 20));
  const std::size_t reserved = std::min(kReservedMax, descriptors / 2);
  // Those that are being closed have theirs until they are.
  const std::size_t fit = (descriptors - reserved) / kDescriptorsEach;
  return std::max(kOpenMin, fit * kClosingShare / (kClosingShare + 1));
}

}  // namespace

OpenDatabases::OpenDatabases(Host& host) : host_(host), limit_(limit_of_process()) {}

void OpenDatabases::opened(Database& database) {
  if (places_.contains(&database)) return;
  if (places_.size() >= limit_) close_some();
  places_.emplace(&database, order_.insert(order_.end(), &database));
}

void OpenDatabases::closed(Database& database) {
  const auto place = places_.find(&database);
  if (place == places_.end()) return;
  order_.erase(place->second);
  places_.erase(place);
}

void OpenDatabases::close_some() {
  for (std::size_t looks = 0; looks < kLooksMax && places_.size() >= limit_; ++looks) {
    Database& oldest = *order_.front();
    if (oldest.take_used() || !oldest.at_rest()) {
      order_.splice(order_.end(), order_, order_.begin());
      continue;
    }
    oldest.close();
    if (++closings_ < limit_ / kClosingShare) continue;
    closings_ = 0;
    host_.syncer().wait_idle();
  }
}

}  // namespace hearth::addon
