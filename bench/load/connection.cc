#include "connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace hearth::load {

std::uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

void fail(std::string_view what) {
  std::fprintf(stderr, "hearth_load: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
  if (fd_ < 0) fail("epoll_create1");
}

Poller::~Poller() {
  ::close(fd_);
}

void Connection::open(const Poller& poller, std::uint16_t port, std::size_t index) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) fail(std::string("socket: ") + std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail(std::string("connect: ") + std::strerror(errno));
  }
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  poller_ = poller.fd();
  index_ = index;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  if (epoll_ctl(poller_, EPOLL_CTL_ADD, fd_, &event) != 0) fail("epoll_ctl");
}

void Connection::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Connection::flush() {
  std::size_t written = 0;
  while (written < outgoing_.size()) {
    const auto count = ::send(fd_, outgoing_.data() + written, outgoing_.size() - written,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EAGAIN) break;
      if (errno == EINTR) continue;
      fail(std::string("send: ") + std::strerror(errno));
    }
    written += static_cast<std::size_t>(count);
  }
  outgoing_.erase(0, written);
  watch_writes(!outgoing_.empty());
}

void Connection::watch_writes(bool wanted) {
  if (wanted == watching_writes_) return;
  watching_writes_ = wanted;
  epoll_event event{};
  event.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index_;
  if (epoll_ctl(poller_, EPOLL_CTL_MOD, fd_, &event) != 0) fail("epoll_ctl");
}

std::string_view Connection::read(char* buffer, std::size_t size) {
  for (;;) {
    const auto count = ::recv(fd_, buffer, size, MSG_DONTWAIT);
    if (count > 0) return {buffer, static_cast<std::size_t>(count)};
    if (count == 0) fail("the server closed a connection");
    if (errno == EAGAIN) return {};
    if (errno != EINTR) fail(std::string("recv: ") + std::strerror(errno));
  }
}

std::string Connection::exchange(std::string_view request, std::string_view end,
                                 std::string& rest) {
  if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    fail("a request could not be sent whole");
  }
  std::string answer;
  char buffer[4096];
  for (;;) {
    const auto count = ::recv(fd_, buffer, sizeof buffer, 0);
    if (count <= 0) fail("the server closed a connection during the handshake: " + answer);
    answer.append(buffer, static_cast<std::size_t>(count));
    const auto at = answer.find(end);
    if (at == std::string::npos) continue;
    rest = answer.substr(at + end.size());
    answer.resize(at + end.size());
    return answer;
  }
}

}  // namespace hearth::load
