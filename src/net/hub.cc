#include "net/hub.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.h"
#include "net/http_response.h"

namespace hearth::net {

namespace {
constexpr std::size_t kReadBytes = 256UL * 1024;
constexpr int kReadyMax = 512;
constexpr int kRoundsMax = 8;
}  // namespace

Hub::Hub(ServerOptions server_options, ServerEvents& server_events)
    : options(std::move(server_options)),
      events(server_events),
      unfinished(options.unfinished_bytes_max),
      read_buffer(kReadBytes) {
  update_clock();
}

Hub::~Hub() {
  slots_.clear();
  if (poll_fd_ >= 0) ::close(poll_fd_);
}

bool Hub::open_poll() {
  poll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  return poll_fd_ >= 0;
}

void Hub::update_clock() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  // Counted from the first reading, and never 0, which stands for "no deadline".
  const TimeMs ms = static_cast<std::int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
  if (epoch_ms_ == 0) epoch_ms_ = ms - 1;
  now_ms_ = ms - epoch_ms_;
}

std::string_view Hub::date() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME_COARSE, &time);
  if (time.tv_sec != date_second_) {
    date_second_ = time.tv_sec;
    date_ = http_date(time.tv_sec);
  }
  return date_;
}

Connection& Hub::add(int fd) {
  std::uint32_t index;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.deadline_ms = 0;
  slot.connection = std::make_unique<Connection>(*this, fd, index, ++slot.serial);
  ++open_;
  counters.connections_open = open_;
  return *slot.connection;
}

std::uint64_t Hub::next_id(std::uint32_t slot) {
  return ++slots_[slot].count << 20 | slot;
}

void Hub::watch(Connection& connection, int fd, std::uint32_t before, std::uint32_t interest) {
  epoll_event event{};
  event.events = interest;
  event.data.u64 = static_cast<std::uint64_t>(connection.serial()) << 32 | connection.slot();
  const int operation = interest == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  const int outcome = epoll_ctl(poll_fd_, operation, fd, &event);
  ASSERT(outcome == 0, "an open socket can be watched");
}

void Hub::touch(Connection& connection) {
  touched_.push_back(&connection);
  if (in_turn_ || scheduled_) return;
  scheduled_ = true;
  schedule();
}

void Hub::retire(Connection& connection) {
  Slot& slot = slots_[connection.slot()];
  ASSERT(slot.connection.get() == &connection, "a connection is retired once");
  slot.deadline_ms = 0;
  graveyard_.push_back(std::move(slot.connection));
  free_.push_back(connection.slot());
  --open_;
  counters.connections_open = open_;
  // The grave is emptied at the end of a turn: there has to be one.
  if (!in_turn_ && !scheduled_) {
    scheduled_ = true;
    schedule();
  }
}

void Hub::run_ready(const std::function<void()>& accept) {
  in_turn_ = true;
  update_clock();
  epoll_event ready[kReadyMax];
  const int count = epoll_wait(poll_fd_, ready, kReadyMax, 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = ready[i].data.u64;
    if (tag == kListenerTag) {
      accept();
      continue;
    }
    Connection* connection = find(static_cast<std::uint32_t>(tag));
    // Another connection may have closed it in this turn, and its slot may be taken anew.
    if (connection != nullptr && connection->serial() == tag >> 32) {
      connection->on_ready(ready[i].events);
    }
  }
  in_turn_ = false;
  end_turn();
}

void Hub::end_turn() {
  scheduled_ = false;
  in_turn_ = true;
  for (int round = 0; round < kRoundsMax && !touched_.empty(); ++round) {
    ending_.swap(touched_);
    for (Connection* connection : ending_) connection->end_turn();
    ending_.clear();
  }
  in_turn_ = false;
  if (!touched_.empty()) {
    scheduled_ = true;
    schedule();
    return;
  }
  graveyard_.clear();
  old_sessions_.clear();
  inflater.trim();
  deflater.trim();
}

void Hub::sweep() {
  in_turn_ = true;
  update_clock();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const TimeMs at = slots_[i].deadline_ms;
    if (at == 0 || at > now_ms_) continue;
    slots_[i].deadline_ms = 0;
    if (slots_[i].connection) slots_[i].connection->on_deadline();
  }
  in_turn_ = false;
  end_turn();
}

void Hub::for_each(const std::function<void(Connection&)>& use) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].connection) use(*slots_[i].connection);
  }
}

}  // namespace hearth::net
