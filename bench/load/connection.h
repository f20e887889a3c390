// One TCP connection of the load generator and the epoll loop under all of them. One thread; what
// cannot be written at once waits in the connection's buffer. Any failure ends the run: a load
// generator that goes on with fewer connections would measure something else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::load {

std::uint64_t now_ns();

// Says what went wrong and exits with 1.
[[noreturn]] void fail(std::string_view what);

class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

class Connection {
 public:
  // Connects (blocking) to 127.0.0.1:port and registers with the poller under `index`.
  void open(const Poller& poller, std::uint16_t port, std::size_t index);
  void close();

  // Appends to what waits to be written; flush() writes as much as the socket takes.
  std::string& outgoing() { return outgoing_; }
  void flush();

  // Reads once into `buffer`; empty when nothing was there. The peer's end fails the run.
  std::string_view read(char* buffer, std::size_t size);

  // Used before the loop starts: sends all, then reads until `end` shows; returns what came, and
  // leaves in `rest` what followed it.
  std::string exchange(std::string_view request, std::string_view end, std::string& rest);

 private:
  void watch_writes(bool wanted);

  int fd_ = -1;
  int poller_ = -1;
  std::size_t index_ = 0;
  std::string outgoing_;
  bool watching_writes_ = false;
};

}  // namespace hearth::load
