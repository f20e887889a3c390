// One client's TCP connection: reading, writing, closing. What its bytes mean is its session's
// business: HTTP first, WebSocket after an upgrade. Owned by its slot in the hub; used on the
// loop's thread. What always holds: a closed connection raises nothing and lives on, empty, until
// the end of the turn, so that an event's handler may close the very connection that raised it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/send_queue.h"

namespace hearth::net {

class Connection;
struct ConnectionState;
class HttpSession;
class Hub;
class WebSocketSession;

// Milliseconds of the hub's clock, which is read once a turn.
using TimeMs = std::int64_t;

// The protocol spoken on a connection.
class Session {
 public:
  virtual ~Session() = default;
  // Which of the two it is.
  virtual HttpSession* http() { return nullptr; }
  virtual WebSocketSession* web_socket() { return nullptr; }
  // Reads what it can of the bytes, which it may change; returns how many are done with. Fewer than
  // all: it is blocked until it calls Connection::resume_input().
  virtual std::size_t consume(char* data, std::size_t size) = 0;
  // The peer sends no more.
  virtual void on_eof() = 0;
  // The connection is about to be closed at once: the peer vanished, or a deadline cuts it.
  virtual void on_broken(std::string_view reason) = 0;
  // At the end of a turn in which something was queued, written, or asked for.
  virtual void on_turn_end() = 0;
  virtual void on_deadline() = 0;
  // The server stops: no new work, `code` and `reason` for WebSockets.
  virtual void shut_down(std::uint16_t code, std::string_view reason) = 0;
  // Whether another process could go on with it now, and what that needs to know.
  virtual bool movable() const = 0;
  virtual void save(ConnectionState& state) const = 0;
};

class Connection {
 public:
  Connection(Hub& hub, int fd, std::uint32_t slot, std::uint32_t serial);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // ---- for the hub
  void on_ready(std::uint32_t epoll_events);
  // What another process may take over (handover.h): not read while the hub is held.
  bool movable() const {
    return !closed() && !eof_ && finish_ == Finish::kNo && session_ && session_->movable();
  }
  void on_hold();
  void save(ConnectionState& state) const;
  void restore(ConnectionState& state);
  int descriptor() const { return fd_; }
  // Closes this process's copy of the socket; the other one's stays.
  void let_go();
  void end_turn();  // runs resumed input, then writes what is queued
  void on_deadline();
  Session& session() { return *session_; }

  // ---- for the session
  Hub& hub() { return hub_; }
  std::uint32_t slot() const { return slot_; }
  std::uint32_t serial() const { return serial_; }
  bool closed() const { return fd_ < 0; }
  bool finishing() const { return finish_ != Finish::kNo; }
  // Replaces the session; the old one lives until the end of the turn.
  void set_session(std::unique_ptr<Session> session);
  void append(std::string_view head, std::string_view body);
  std::size_t queued_bytes() const { return out_.bytes(); }
  std::uint64_t queued_total() const { return queued_total_; }
  std::uint64_t written_total() const { return written_total_; }
  bool write_blocked() const { return write_blocked_; }
  void drop_unstarted();
  // No on_turn_end without something done: this asks for one.
  void touch();
  // Gives the session the bytes that it left, at the end of this turn.
  void resume_input();
  bool has_input_waiting() const { return !pending_.empty() || eof_; }
  void set_reading(bool wanted);
  // At once, from now on; more again with each read that the session takes all of.
  void read_little() { read_cut_ = kReadCutMax; }
  void set_deadline(TimeMs at_ms);  // 0: none
  // Writes what is queued, half-closes, waits a little for the client to read it, closes. The
  // session gets nothing more but on_turn_end, and on_broken if writing fails.
  void finish();
  // Closes now. The session is not asked.
  void destroy();

 private:
  enum class Finish : std::uint8_t { kNo, kFlushing, kLingering };

  static constexpr std::uint8_t kReadCutMax = 6;  // of 256 KB: 4 KB

  void read();
  std::size_t read_limit() const;
  void deliver(char* data, std::size_t size);
  std::size_t feed(char* data, std::size_t size);
  void run_input();
  void write();
  void broken(std::string_view reason);
  void begin_linger();
  void read_lingering();
  void update_interest();

  Hub& hub_;
  std::unique_ptr<Session> session_;
  SendQueue out_;
  std::string pending_;  // read, and not yet taken by the session
  std::uint64_t queued_total_ = 0;
  std::uint64_t written_total_ = 0;
  std::uint64_t flush_mark_ = 0;  // written_total_ when the deadline of finish() was set
  int fd_;
  std::uint32_t slot_;
  std::uint32_t serial_;
  std::uint32_t interest_ = 0;  // what epoll watches
  std::uint32_t lingered_ = 0;  // bytes discarded while lingering
  Finish finish_ = Finish::kNo;
  std::uint8_t read_cut_ = 0;  // how often what is read at once is halved
  bool reading_ = true;
  bool write_blocked_ = false;
  bool touched_ = false;  // in the hub's list for the end of the turn
  bool input_resumed_ = false;
  bool eof_ = false;
  bool eof_told_ = false;
};

}  // namespace hearth::net
