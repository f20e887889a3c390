#include "os/virtual_world.h"

#include <algorithm>
#include <utility>

namespace hearth::os {

TimerId VirtualWorld::after(std::uint32_t delay_ms, std::function<void()> action) {
  const TimerId id{++last_timer_};
  timers_.emplace(now_ms_ + delay_ms, Timer{id, std::move(action)});
  return id;
}

void VirtualWorld::cancel(TimerId timer) {
  std::erase_if(timers_, [&](const auto& entry) { return entry.second.id == timer; });
}

void VirtualWorld::settle() {
  while (!deferred_.empty()) {
    const std::function<void()> action = std::move(deferred_.front());
    deferred_.pop_front();
    action();
  }
}

void VirtualWorld::advance(std::uint32_t ms) {
  const std::int64_t end = now_ms_ + ms;
  settle();
  while (!timers_.empty() && timers_.begin()->first <= end) {
    auto due = timers_.extract(timers_.begin());
    now_ms_ = std::max(now_ms_, due.key());
    due.mapped().action();
    settle();
  }
  now_ms_ = end;
}

namespace {

struct VirtualEnd {
  StreamEvents* events = nullptr;
  std::string incoming;
  bool scheduled = false;
  bool closed = false;  // by its owner
  bool peer_closed = false;
  bool writer_waits = false;  // the other end wrote more than there was room for
};

struct VirtualPair : std::enable_shared_from_this<VirtualPair> {
  VirtualPair(Loop& in_loop, std::size_t in_room) : loop(in_loop), room(in_room) {}
  Loop& loop;
  std::size_t room;
  VirtualEnd ends[2];

  void schedule(int to) {
    if (std::exchange(ends[to].scheduled, true)) return;
    loop.defer([self = shared_from_this(), to] { self->run(to); });
  }

  void run(int to) {
    VirtualEnd& end = ends[to];
    end.scheduled = false;
    if (end.closed || end.events == nullptr) return;
    if (!end.incoming.empty()) {
      const std::string data = std::exchange(end.incoming, {});
      end.events->on_data(data);
      if (std::exchange(end.writer_waits, false) && !ends[1 - to].closed &&
          ends[1 - to].events != nullptr) {
        ends[1 - to].events->on_writable();
      }
      if (!end.closed && (!end.incoming.empty() || end.peer_closed)) schedule(to);
      return;
    }
    if (end.peer_closed) std::exchange(end.events, nullptr)->on_closed();
  }
};

class VirtualStream final : public Stream {
 public:
  VirtualStream(std::shared_ptr<VirtualPair> pair, int side)
      : pair_(std::move(pair)), side_(side) {}
  ~VirtualStream() override { close(); }

  void start(StreamEvents& events) override {
    pair_->ends[side_].events = &events;
    pair_->schedule(side_);
  }
  std::size_t write_some(std::string_view data) override {
    VirtualEnd& other = pair_->ends[1 - side_];
    if (other.closed || pair_->ends[side_].closed) return 0;
    const std::size_t taken =
        std::min(data.size(), pair_->room - std::min(pair_->room, other.incoming.size()));
    other.incoming.append(data.substr(0, taken));
    if (taken < data.size()) other.writer_waits = true;
    if (taken > 0) pair_->schedule(1 - side_);
    return taken;
  }
  void close() override {
    VirtualEnd& own = pair_->ends[side_];
    if (std::exchange(own.closed, true)) return;
    own.events = nullptr;
    pair_->ends[1 - side_].peer_closed = true;
    pair_->schedule(1 - side_);
  }

 private:
  std::shared_ptr<VirtualPair> pair_;
  int side_;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_virtual_streams(Loop& loop,
                                                                                 std::size_t room) {
  auto pair = std::make_shared<VirtualPair>(loop, room);
  return {std::make_unique<VirtualStream>(pair, 0), std::make_unique<VirtualStream>(pair, 1)};
}

}  // namespace hearth::os
