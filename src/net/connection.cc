#include "net/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "net/handover.h"
#include "net/hub.h"

namespace hearth::net {

namespace {
constexpr std::size_t kPendingBytesMax = 64UL * 1024;  // beyond: reading stops until they are taken
constexpr TimeMs kLingerMs = 2'000;
constexpr std::uint32_t kLingerBytesMax = 4UL * 1024 * 1024;
constexpr TimeMs kFinishFlushMs = 5'000;
constexpr std::size_t kVectorsMax = 16;
}  // namespace

Connection::Connection(Hub& hub, int fd, std::uint32_t slot, std::uint32_t serial)
    : hub_(hub), fd_(fd), slot_(slot), serial_(serial) {
  update_interest();
}

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

void Connection::set_session(std::unique_ptr<Session> session) {
  if (session_) hub_.retire(std::move(session_));
  session_ = std::move(session);
}

void Connection::update_interest() {
  if (closed()) return;
  const bool read = finish_ == Finish::kLingering
                        ? !eof_
                        : reading_ && !eof_ && finish_ == Finish::kNo &&
                              pending_.size() < kPendingBytesMax && !(hub_.held && movable());
  const std::uint32_t wanted = (read ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
                               (write_blocked_ ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  if (wanted == interest_) return;
  hub_.watch(*this, fd_, interest_, wanted);
  interest_ = wanted;
}

void Connection::set_reading(bool wanted) {
  reading_ = wanted;
  update_interest();
}

void Connection::set_deadline(TimeMs at_ms) {
  if (!closed() && finish_ == Finish::kNo) hub_.set_deadline(slot_, at_ms);
}

void Connection::touch() {
  if (touched_ || closed()) return;
  touched_ = true;
  hub_.touch(*this);
}

void Connection::resume_input() {
  input_resumed_ = true;
  touch();
}

void Connection::append(std::string_view head, std::string_view body) {
  if (closed() || finish_ != Finish::kNo) return;
  out_.append(hub_.pool, head, body);
  queued_total_ += head.size() + body.size();
  hub_.counters.bytes_buffered += head.size() + body.size();
  touch();
}

void Connection::drop_unstarted() {
  const std::size_t before = out_.bytes();
  out_.drop_unstarted(hub_.pool);
  hub_.counters.bytes_buffered -= before - out_.bytes();
  queued_total_ -= before - out_.bytes();
}

void Connection::on_ready(std::uint32_t epoll_events) {
  if (closed()) return;
  if ((epoll_events & EPOLLOUT) != 0) {
    write_blocked_ = false;
    touch();
    update_interest();
  }
  if ((epoll_events & EPOLLIN) != 0 && (interest_ & EPOLLIN) != 0) {
    finish_ == Finish::kLingering ? read_lingering() : read();
  } else if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0) {
    broken(kResetReason);
  }
}

// A session that left bytes is one that is held back: ten thousand of those must not each leave a
// whole buffer. Little is read at once then, and more again with each read that it takes all of.
std::size_t Connection::read_limit() const {
  return hub_.read_buffer.size() >> read_cut_;
}

void Connection::read() {
  const ssize_t count = ::recv(fd_, hub_.read_buffer.data(), read_limit(), 0);
  if (count > 0) {
    deliver(hub_.read_buffer.data(), static_cast<std::size_t>(count));
    return;
  }
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) broken(kResetReason);
    return;
  }
  eof_ = true;
  update_interest();
  run_input();
}

std::size_t Connection::feed(char* data, std::size_t size) {
  std::size_t done = 0;
  while (!closed() && finish_ == Finish::kNo) {
    const Session* reader = session_.get();
    done += session_->consume(data + done, size - done);
    if (reader == session_.get()) return done;
    // An upgrade within an event: what follows is the new session's.
  }
  return size;
}

void Connection::deliver(char* data, std::size_t size) {
  if (pending_.empty()) {
    const std::size_t done = feed(data, size);
    if (closed()) return;
    if (done < size) {
      pending_.assign(data + done, size - done);
      read_little();
    } else if (read_cut_ > 0) {
      --read_cut_;
    }
  } else {
    pending_.append(data, size);
    run_input();
    return;
  }
  update_interest();
}

void Connection::run_input() {
  input_resumed_ = false;
  if (closed() || finish_ != Finish::kNo) return;
  // Events show views of these bytes: they live here until it returns, whatever a handler closes.
  std::string input = std::move(pending_);
  pending_.clear();
  const std::size_t done = feed(input.data(), input.size());
  if (closed()) return;
  if (done < input.size()) {
    input.erase(0, done);
    pending_ = std::move(input);
  } else {
    std::string().swap(pending_);
    if (eof_ && !eof_told_ && finish_ == Finish::kNo) {
      eof_told_ = true;
      session_->on_eof();
    }
  }
  update_interest();
}

void Connection::end_turn() {
  touched_ = false;
  if (closed()) return;
  if (input_resumed_) run_input();
  if (!closed() && !write_blocked_) write();
  if (!closed()) session_->on_turn_end();
  if (!closed() && finish_ == Finish::kFlushing && out_.empty()) begin_linger();
}

void Connection::write() {
  while (!out_.empty()) {
    iovec vectors[kVectorsMax];
    const std::size_t count = out_.gather(vectors, kVectorsMax);
    ssize_t written;
    if (count == 1) {
      written = ::send(fd_, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = vectors;
      message.msg_iovlen = count;
      written = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    }
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return broken(kResetReason);
      write_blocked_ = true;
      update_interest();
      return;
    }
    const auto bytes = static_cast<std::size_t>(written);
    out_.consume(hub_.pool, bytes);
    written_total_ += bytes;
    hub_.counters.bytes_buffered -= bytes;
  }
}

void Connection::broken(std::string_view reason) {
  if (closed()) return;
  session_->on_broken(reason);
  destroy();
}

void Connection::on_deadline() {
  if (closed()) return;
  if (finish_ == Finish::kNo) return session_->on_deadline();
  // A slow reader is waited for as long as it reads at all.
  if (finish_ == Finish::kLingering || written_total_ == flush_mark_) return destroy();
  flush_mark_ = written_total_;
  hub_.set_deadline(slot_, hub_.now_ms() + kFinishFlushMs);
}

void Connection::finish() {
  if (closed() || finish_ != Finish::kNo) return;
  hub_.set_deadline(slot_, hub_.now_ms() + kFinishFlushMs);
  flush_mark_ = written_total_;
  finish_ = Finish::kFlushing;
  std::string().swap(pending_);
  update_interest();
  touch();
}

void Connection::begin_linger() {
  if (eof_ || ::shutdown(fd_, SHUT_WR) != 0) return destroy();
  finish_ = Finish::kLingering;
  hub_.set_deadline(slot_, hub_.now_ms() + kLingerMs);
  update_interest();
}

// What the client sends on is read and dropped: closing over unread bytes would send a reset, and
// the client might lose the answer that it has not read yet.
void Connection::read_lingering() {
  const ssize_t count = ::recv(fd_, hub_.read_buffer.data(), hub_.read_buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return destroy();
  lingered_ += static_cast<std::uint32_t>(count);
  if (lingered_ > kLingerBytesMax) destroy();
}

// The hub is held, or is no more: sessions that left bytes may go on.
void Connection::on_hold() {
  update_interest();
  if (!hub_.held && (!pending_.empty() || eof_)) resume_input();
}

void Connection::save(ConnectionState& state) const {
  state.input = pending_;
  state.output = out_.content();
  state.output_started = out_.started();
  session_->save(state);
}

void Connection::restore(ConnectionState& state) {
  pending_ = std::move(state.input);
  out_.restore(std::move(state.output), state.output_started);
  queued_total_ += out_.bytes();
  hub_.counters.bytes_buffered += out_.bytes();
  if (!out_.empty()) touch();
  update_interest();
}

void Connection::let_go() {
  if (closed()) return;
  // The poll set watches the socket for as long as any process has it open.
  if (interest_ != 0) hub_.watch(*this, fd_, interest_, 0);
  interest_ = 0;
  destroy();
}

void Connection::destroy() {
  if (closed()) return;
  hub_.counters.bytes_buffered -= out_.bytes();
  out_.clear(hub_.pool);
  // Closing takes it out of the poll set.
  ::close(fd_);
  fd_ = -1;
  hub_.retire(*this);
}

}  // namespace hearth::net
