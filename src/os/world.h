// The world as the core sees it: time, the event loop, byte streams and child processes, each an
// interface that is passed in, so that the whole core also runs in a simulation (virtual_world.h)
// with a clock of its own. Everything here belongs to the one event-loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "os/descriptor.h"

namespace hearth::os {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since the epoch: what alarms and timestamps are in. May jump.
  virtual std::int64_t wall_ms() const = 0;
  // Milliseconds since some start: what durations are measured with. Never goes back.
  virtual std::int64_t steady_ms() const = 0;
};

using TimerId = StrongId<struct TimerTag>;

class Loop {
 public:
  virtual ~Loop() = default;
  // Runs `action` once, no earlier than `delay_ms` from now. Never inside this call.
  virtual TimerId after(std::uint32_t delay_ms, std::function<void()> action) = 0;
  // A timer that has run, or was cancelled, is ignored.
  virtual void cancel(TimerId timer) = 0;
  // Runs `action` after everything that is ready now: the end of the turn, when what the turn
  // produced is written.
  virtual void defer(std::function<void()> action) = 0;
};

class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  // `data` is valid during the call.
  virtual void on_data(std::string_view data) = 0;
  // After a write_some that took less than it was given.
  virtual void on_writable() = 0;
  // End of file or an error, once; nothing follows.
  virtual void on_closed() = 0;
};

// A connected byte stream to another process. May be closed and destroyed inside its own events.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void start(StreamEvents& events) = 0;
  // Takes what the system has room for and says how much that was.
  virtual std::size_t write_some(std::string_view data) = 0;
  // No event follows.
  virtual void close() = 0;
};

struct ExitStatus {
  int code = 0;    // meaningful when signal is 0
  int signal = 0;  // the signal that ended it
  std::string describe() const;
};

struct ProcessOptions {
  std::string path{};
  std::vector<std::string> arguments{};    // without the name itself
  std::vector<std::string> environment{};  // "KEY=value", added to this process's own
  std::string directory{};                 // empty: this process's own
  int input = -1;                          // descriptor for 0; -1: /dev/null
  int output = -1;                         // descriptor for 1; -1: inherited
  int error = -1;                          // descriptor for 2; -1: inherited
  std::vector<int> inherited{};            // become 3, 4, …; every other descriptor is closed
  bool successor =
      false;  // it takes this process's place: see Processes::spawn and Process::release
};

class Process {
 public:
  virtual ~Process() = default;
  virtual int pid() const = 0;
  // Memory that it holds now, in bytes; 0 when that cannot be said.
  virtual std::uint64_t resident_bytes() const { return 0; }
  // What all its threads have used of the CPU in its life; 0 when that cannot be said. Without the
  // processes that it started.
  virtual std::uint64_t cpu_ns() const { return 0; }
  // By a signal (SIGSTOP), and not yet continued: it does nothing, and will not by itself.
  virtual bool stopped() const { return false; }
  // Of these its first thread.
  virtual std::uint64_t main_thread_cpu_ns() const { return cpu_ns(); }
  // For how long its main thread could have run in its life and had no CPU; 0 when that cannot be
  // said.
  virtual std::uint64_t main_thread_waited_ns() const { return 0; }
  // Nothing happens once it has been reaped: its number may be another's.
  virtual void kill(int signal) = 0;
  // It goes on by itself when this is destroyed. Only of a successor.
  virtual void release() {}
};

class Processes {
 public:
  virtual ~Processes() = default;
  // Starts a child in a process group of its own that does not outlive this process (a successor
  // stays in this one's group, and does). `on_exit` runs
  // once, after it has been reaped, unless the Process is destroyed before (it is then killed).
  virtual Result<std::unique_ptr<Process>> spawn(const ProcessOptions& options,
                                                 std::function<void(ExitStatus)> on_exit) = 0;
};

struct World {
  Clock& clock;
  Loop& loop;
  Processes& processes;
};

}  // namespace hearth::os
