#include "worker/host_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

namespace hearth::worker {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr unsigned kDrainReadsMax = 16;  // who prints faster than that does not end
constexpr auto kPause = std::chrono::milliseconds(500);

std::int64_t steady_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

// How much of `text` ends with a whole character.
std::size_t whole_characters(std::string_view text) {
  const std::size_t back_max = std::min<std::size_t>(text.size(), 3);
  for (std::size_t back = 1; back <= back_max; ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;  // inside of one
    const std::size_t size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace

void OutputLines::add(std::string_view bytes, std::int64_t now_ms) {
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::size_t room = kLineBytesMax - std::min(line_.size(), kLineBytesMax);
    line_ += bytes.substr(0, std::min(end, room));
    over_ += end - std::min(end, room);
    const bool ended = end < bytes.size();
    bytes.remove_prefix(ended ? end + 1 : end);
    if (ended) finish(false, now_ms);
  }
}

void OutputLines::pause(std::int64_t now_ms) {
  pass_kept();
  if (!line_.empty() || over_ > 0) finish(true, now_ms);
}

void OutputLines::end() {
  pass_kept();
  if (line_.empty() && over_ == 0) return;
  left_ = kAtOnce;
  finish(false, at_ms_);
}

void OutputLines::finish(bool partial, std::int64_t now_ms) {
  OutputLine line{.text = std::move(line_), .cut = over_, .partial = partial};
  line_.clear();
  line.continued = std::exchange(continued_, partial);
  over_ = 0;
  if (line.text.ends_with('\r')) line.text.pop_back();
  const std::size_t whole = whole_characters(line.text);
  if (line.cut > 0) {
    line.cut += line.text.size() - whole;
    line.text.resize(whole);
  } else if (partial) {
    line_ = line.text.substr(whole);
    line.text.resize(whole);
  }
  // The end of what was passed on already, or half a character.
  if (line.text.empty() && line.cut == 0 && (partial || line.continued)) {
    continued_ = partial && line.continued;
    return;
  }
  pass(std::move(line), now_ms);
}

void OutputLines::pass(OutputLine line, std::int64_t now_ms) {
  const double elapsed_ms = static_cast<double>(std::max<std::int64_t>(0, now_ms - at_ms_));
  left_ = std::min<double>(kAtOnce, left_ + elapsed_ms * kPerSecond / 1000);
  at_ms_ = now_ms;
  const double cost = 1 + static_cast<double>(line.text.size() >> 10);
  if (kept_.empty() && left_ >= cost) {
    left_ -= cost;
    return take_(std::move(line));
  }
  kept_.push_back(std::move(line));
  if (kept_.size() <= kKeptMax) return;
  kept_.pop_front();
  ++dropped_;
}

void OutputLines::pass_kept() {
  if (dropped_ > 0) take_({.dropped = std::exchange(dropped_, 0)});
  left_ = std::max(0.0, left_ - static_cast<double>(kept_.size()));
  for (OutputLine& line : std::exchange(kept_, {})) take_(std::move(line));
}

OutputPipe::OutputPipe(boost::asio::io_context& context, os::Descriptor reading,
                       OutputLines::Take take)
    : descriptor_(context, reading.release()), timer_(context), lines_(std::move(take)) {
  const int flags = ::fcntl(descriptor_.native_handle(), F_GETFL);
  ::fcntl(descriptor_.native_handle(), F_SETFL, flags | O_NONBLOCK);
}

void OutputPipe::start() {
  wait();
}

void OutputPipe::wait() {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           if (error || !self->open()) return;
                           // One read, then everyone else's turn.
                           if (self->read() == Had::kEnd) return self->close();
                           self->pause_later();
                           self->wait();
                         });
}

OutputPipe::Had OutputPipe::read() {
  static thread_local std::vector<char> buffer(kReadBytes);
  const ssize_t size = ::read(descriptor_.native_handle(), buffer.data(), buffer.size());
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Had::kNothing : Had::kEnd;
  if (size == 0) return Had::kEnd;
  lines_.add({buffer.data(), static_cast<std::size_t>(size)}, steady_ms());
  return Had::kBytes;
}

void OutputPipe::pause_later() {
  if (!lines_.waiting() || std::exchange(timer_runs_, true)) return;
  timer_.expires_after(kPause);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    self->timer_runs_ = false;
    if (error || !self->open()) return;
    self->lines_.pause(steady_ms());
    self->pause_later();
  });
}

void OutputPipe::drain() {
  for (unsigned i = 0; open() && i < kDrainReadsMax && read() == Had::kBytes; ++i) {
  }
  if (lines_.waiting()) lines_.pause(steady_ms());
}

void OutputPipe::close() {
  if (!open()) return;
  for (unsigned i = 0; i < kDrainReadsMax && read() == Had::kBytes; ++i) {
  }
  lines_.end();
  timer_.cancel();
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

}  // namespace hearth::worker
