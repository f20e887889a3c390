// The generator's loop, whatever its clients speak: until the deadline or the last answer, clients
// that can write do, and those that have heard something read it. Returns how many replies came in.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "connection.h"
#include "histogram.h"

namespace hearth::load {

inline constexpr std::size_t kEventsMax = 256;
inline constexpr std::uint64_t kNoLimit = UINT64_MAX;

template <typename Client>
std::uint64_t drive_until(const Poller& poller, std::vector<Client>& clients,
                          std::vector<char>& buffer, std::uint64_t deadline_ns,
                          Histogram* latencies, std::uint64_t answers_max = kNoLimit) {
  std::uint64_t answered = 0;
  epoll_event events[kEventsMax];
  while (answered < answers_max && now_ns() < deadline_ns) {
    const int count = epoll_wait(poller.fd(), events, kEventsMax, 5'000);
    if (count == 0) fail("no answer for 5 s");
    for (int i = 0; i < count; ++i) {
      auto& client = clients[events[i].data.u64];
      if ((events[i].events & EPOLLOUT) != 0) client.on_writable();
      if ((events[i].events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        answered += client.on_readable(buffer.data(), buffer.size(), latencies);
      }
    }
  }
  return answered;
}

}  // namespace hearth::load
