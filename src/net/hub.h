// What the connections of one server share: the poll set, the read buffer, the pool of chunks, the
// lists of a turn, the clock. Owned by the server; used on the loop's thread.
//
// Sockets are watched by one epoll set of their own, which Asio watches as a single descriptor: an
// idle socket costs no pending operation, and a ready one no call to arm it again. A turn is: take
// what is ready, let sessions read, then write what each connection has queued in one call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/connection.h"
#include "net/deflate.h"
#include "net/server.h"
#include "net/unfinished.h"

namespace hearth::net {

class Hub {
 public:
  Hub(ServerOptions server_options, ServerEvents& server_events);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  ServerOptions options;
  ServerEvents& events;
  ServerCounters counters;
  ChunkPool pool;
  Inflater inflater;
  Deflater deflater;
  Unfinished unfinished;
  std::vector<char> read_buffer;
  std::string head_buffer;  // of the response head being written
  bool stopping = false;
  bool held = false;  // nothing new is read: connections are about to be handed over
  std::uint16_t stop_code = 0;
  std::string stop_reason;
  std::string default_host;  // for requests without a Host header
  // Asks the server to call end_turn() soon; set once.
  std::function<void()> schedule;

  // False when the system gives no descriptor.
  bool open_poll();
  int poll_fd() const { return poll_fd_; }
  TimeMs now_ms() const { return now_ms_; }
  void update_clock();
  std::string_view date();

  Connection& add(int fd);
  Connection* find(std::uint32_t slot) {
    return slot < slots_.size() ? slots_[slot].connection.get() : nullptr;
  }
  // A fresh id that names `slot`: 20 bits of slot under a count that never runs back.
  std::uint64_t next_id(std::uint32_t slot);
  static std::uint32_t slot_of(std::uint64_t id) {
    return static_cast<std::uint32_t>(id & 0xfffff);
  }
  static std::uint64_t count_of(std::uint64_t id) { return id >> 20; }
  bool full() const { return open_ >= kConnectionsMax; }
  std::size_t open() const { return open_; }

  void watch(Connection& connection, int fd, std::uint32_t before, std::uint32_t interest);
  void set_deadline(std::uint32_t slot, TimeMs at_ms) { slots_[slot].deadline_ms = at_ms; }
  void touch(Connection& connection);
  void retire(Connection& connection);
  void retire(std::unique_ptr<Session> session) { old_sessions_.push_back(std::move(session)); }

  // One look at the poll set. The listener's entry is told to `accept`.
  void run_ready(const std::function<void()>& accept);
  void end_turn();
  void sweep();
  void for_each(const std::function<void(Connection&)>& use);

  static constexpr std::uint64_t kListenerTag = ~0ULL;

 private:
  static constexpr std::size_t kConnectionsMax = 1 << 20;
  struct Slot {
    std::unique_ptr<Connection> connection;
    std::uint64_t count = 0;
    TimeMs deadline_ms = 0;  // 0: none
    std::uint32_t serial = 0;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<Connection*> touched_;
  std::vector<Connection*> ending_;  // the list being worked off
  std::vector<std::unique_ptr<Connection>> graveyard_;
  std::vector<std::unique_ptr<Session>> old_sessions_;
  std::string date_;
  std::int64_t date_second_ = -1;
  TimeMs now_ms_ = 1;
  TimeMs epoch_ms_ = 0;
  std::size_t open_ = 0;
  int poll_fd_ = -1;
  bool in_turn_ = false;
  bool scheduled_ = false;
};

}  // namespace hearth::net
