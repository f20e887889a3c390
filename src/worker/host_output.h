// What a host's processes print: the bytes that come past the console, from native code, from child
// processes of user code, and from Node.js itself when it crashes. Each host has a pipe for its
// standard output and one for its standard error; what comes is cut into lines, within bounds, for
// the log. A pipe is read whatever comes, so that who prints never waits for the log; what is
// beyond the rate is dropped and counted, but the last lines before a pause are kept: a crash is
// told there.
//
// OutputLines is pure; OutputPipe reads a descriptor on the loop thread, and lives for as long as
// anyone may still print to it, which may be longer than its host.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "os/descriptor.h"

namespace hearth::worker {

struct OutputLine {
  std::string text{};
  std::uint64_t cut = 0;      // bytes that are missing at its end
  bool partial = false;       // more of the line may come
  bool continued = false;     // its beginning was passed on as partial
  std::uint64_t dropped = 0;  // it stands for so many lines, and has no text
};

class OutputLines {
 public:
  static constexpr std::size_t kLineBytesMax = 16 * 1024;
  static constexpr std::uint32_t kPerSecond = 500;
  static constexpr std::uint32_t kAtOnce = 2'000;  // a line costs one, and one more for each KiB
  static constexpr std::size_t kKeptMax = 64;      // of those beyond the rate
  using Take = std::function<void(OutputLine)>;

  explicit OutputLines(Take take) : take_(std::move(take)) {}

  void add(std::string_view bytes, std::int64_t now_ms);
  // Nothing came for a moment: passes on what waits, also the beginning of a line.
  void pause(std::int64_t now_ms);
  // Nothing more will come.
  void end();
  // Something waits for pause() or end().
  bool waiting() const { return !line_.empty() || over_ > 0 || !kept_.empty(); }

 private:
  void finish(bool partial, std::int64_t now_ms);
  void pass(OutputLine line, std::int64_t now_ms);
  void pass_kept();

  const Take take_;
  std::string line_;        // what there is of the current one
  std::uint64_t over_ = 0;  // bytes of it beyond the bound
  bool continued_ = false;
  std::deque<OutputLine> kept_;
  std::uint64_t dropped_ = 0;
  double left_ = kAtOnce;
  std::int64_t at_ms_ = 0;
};

class OutputPipe : public std::enable_shared_from_this<OutputPipe> {
 public:
  // `reading` is a pipe's end.
  OutputPipe(boost::asio::io_context& context, os::Descriptor reading, OutputLines::Take take);

  void start();
  // Takes what has been printed so far: before it is told that who printed it has ended.
  void drain();
  // The same, and nothing after it: who still prints there gets EPIPE.
  void close();
  bool open() const { return descriptor_.is_open(); }

 private:
  enum class Had : std::uint8_t { kBytes, kNothing, kEnd };
  void wait();
  Had read();
  void pause_later();

  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer timer_;
  bool timer_runs_ = false;
  OutputLines lines_;
};

}  // namespace hearth::worker
