// The real world: Asio's event loop, the system's clocks, Unix sockets and child processes. One
// thread runs the io_context; all of it is called there.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <unordered_map>

#include "os/world.h"

namespace hearth::os {

class SystemClock final : public Clock {
 public:
  std::int64_t wall_ms() const override;
  std::int64_t steady_ms() const override;
};

class AsioLoop final : public Loop {
 public:
  explicit AsioLoop(boost::asio::io_context& context);
  ~AsioLoop() override;
  TimerId after(std::uint32_t delay_ms, std::function<void()> action) override;
  void cancel(TimerId timer) override;
  void defer(std::function<void()> action) override;

 private:
  struct Timer;
  boost::asio::io_context& context_;
  std::unordered_map<TimerId, std::unique_ptr<Timer>> timers_;
  std::uint64_t last_timer_ = 0;
};

// Takes a connected, non-blocking socket.
std::unique_ptr<Stream> make_stream(boost::asio::io_context& context, Descriptor socket);

class SystemProcesses final : public Processes {
 public:
  explicit SystemProcesses(boost::asio::io_context& context) : context_(context) {}
  Result<std::unique_ptr<Process>> spawn(const ProcessOptions& options,
                                         std::function<void(ExitStatus)> on_exit) override;

 private:
  boost::asio::io_context& context_;
};

}  // namespace hearth::os
