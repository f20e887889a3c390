// A world for tests: a clock that moves only when told, a loop that runs what is due in order, and
// streams in memory. Deterministic; one thread.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "os/world.h"

namespace hearth::os {

class VirtualWorld final : public Clock, public Loop {
 public:
  explicit VirtualWorld(std::int64_t wall_ms = 1'800'000'000'000) : start_wall_ms_(wall_ms) {}

  std::int64_t wall_ms() const override { return start_wall_ms_ + now_ms_; }
  std::int64_t steady_ms() const override { return now_ms_; }
  TimerId after(std::uint32_t delay_ms, std::function<void()> action) override;
  void cancel(TimerId timer) override;
  void defer(std::function<void()> action) override { deferred_.push_back(std::move(action)); }

  // Runs everything deferred, and what that defers, until nothing is left.
  void settle();
  // settle(), then moves the clock by `ms`, running each timer at its time.
  void advance(std::uint32_t ms);
  std::size_t timers() const { return timers_.size(); }

 private:
  struct Timer {
    TimerId id;
    std::function<void()> action;
  };
  std::int64_t start_wall_ms_;
  std::int64_t now_ms_ = 0;
  std::uint64_t last_timer_ = 0;
  std::multimap<std::int64_t, Timer> timers_;
  std::deque<std::function<void()>> deferred_;
};

// Two ends of a stream in memory. What one writes the other gets in a later turn; `room` bytes fit
// between them, as in a socket's buffer.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_virtual_streams(
    Loop& loop, std::size_t room = 1 << 20);

}  // namespace hearth::os
