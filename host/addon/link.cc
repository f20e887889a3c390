#include "link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace hearth::addon {

namespace {

// Small reads keep a turn short when each frame runs a handler; a large frame is read in large
// ones.
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kLargeReadBytes = 256 * 1024;
// A buffer that once grew past this is given back when it has drained.
constexpr std::size_t kKeepBytes = 1024 * 1024;

Error system_error(const char* what) {
  return {ErrorCode::kIo, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

Status Link::open(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ||
      ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0) {
    return system_error("the socket to the core cannot be used");
  }
  descriptor_ = descriptor;
  in_.resize(kLargeReadBytes);
  return {};
}

Status Link::read(std::string_view* data) {
  const std::size_t want = reader_.pending_bytes() >= kReadBytes ? kLargeReadBytes : kReadBytes;
  for (;;) {
    const ssize_t got = ::read(descriptor_, in_.data(), want);
    if (got >= 0) {
      *data = std::string_view(in_).substr(0, static_cast<std::size_t>(got));
      return {};
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Error{ErrorCode::kCancelled, "nothing yet"};
    return system_error("reading from the core");
  }
}

Status Link::flush() {
  while (has_output()) {
    const ssize_t took =
        ::send(descriptor_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (took < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return system_error("writing to the core");
    }
    sent_ += static_cast<std::size_t>(took);
  }
  if (!has_output()) {
    out_.clear();
    if (out_.capacity() > kKeepBytes) out_.shrink_to_fit();
    sent_ = 0;
  } else if (sent_ > out_.size() / 2) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  return {};
}

Status Link::flush_all(int deadline_ms) {
  return flush_until(0, deadline_ms);
}

Status Link::flush_until(std::size_t rest_max, int deadline_ms) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::milliseconds(deadline_ms);
  for (;;) {
    Status status = flush();
    if (!status || out_.size() - sent_ <= rest_max) return status;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return Error{ErrorCode::kLimit, "the core does not read"};
    pollfd wait{descriptor_, POLLOUT, 0};
    ::poll(&wait, 1, static_cast<int>(left.count()));
  }
}

void Link::wait_for_room() {
  Status status = flush_until(kOutBytesMax / 2, kRoomDeadlineMs);
  if (status) return;
  if (status.error().code == ErrorCode::kIo) {
    // The core is gone: nothing is heard any more, and the next read ends the host in order.
    out_.clear();
    sent_ = 0;
    return;
  }
  // Memory would grow without bound, and nothing that this host says is heard: its end is the only
  // thing that the core still notices.
  std::fprintf(stderr, "hearth host: %s; ending\n", status.error().message.c_str());
  std::_Exit(70);
}

}  // namespace hearth::addon
