#include "log/writer.h"

#include <poll.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "os/signals.h"

namespace hearth::log {
namespace {

constexpr std::uint32_t kEndMs = 2'000;

struct Entry {
  std::string to_descriptor;
  std::string to_file;
  std::size_t bytes() const { return to_descriptor.size() + to_file.size() + sizeof(Entry); }
};

// All of it, on a descriptor that may be nonblocking (another process may share it).
void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t took = ::write(descriptor, text.data(), text.size());
    if (took >= 0) {
      text.remove_prefix(static_cast<std::size_t>(took));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd wait{descriptor, POLLOUT, 0};
      ::poll(&wait, 1, 1'000);
    } else if (errno != EINTR) {
      return;  // nobody reads it any more
    }
  }
}

}  // namespace

struct LogWriter::Shared {
  int descriptor = -1;
  DropText drop_text;
  DropText file_drop_text;
  std::unique_ptr<spdlog::sinks::rotating_file_sink_st> file;  // the thread's, once it is set

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Entry> queue;
  std::size_t bytes = 0;
  std::uint64_t dropped = 0;
  bool writing = false;
  bool ending = false;
  bool ended = false;

  // The thread's own.
  bool file_failed = false;

  void write_file(const std::string& text) {
    try {
      file->log(spdlog::details::log_msg({}, spdlog::level::info, text));
      file->flush();
      file_failed = false;
    } catch (const spdlog::spdlog_ex& error) {
      if (std::exchange(file_failed, true)) return;
      write_all(descriptor,
                std::string("hearth: the log file cannot be written: ") + error.what() + "\n");
    }
  }
};

LogWriter::LogWriter(int descriptor, DropText drop_text) : shared_(std::make_shared<Shared>()) {
  shared_->descriptor = descriptor;
  shared_->drop_text = std::move(drop_text);
  const os::BlockedSignals blocked;
  std::thread([shared = shared_] { run(shared); }).detach();
}

LogWriter::~LogWriter() {
  std::unique_lock lock(shared_->mutex);
  shared_->ending = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, std::chrono::milliseconds(kEndMs),
                            [this] { return shared_->ended; });
}

Status LogWriter::open_file(const LogFileOptions& options, DropText drop_text) {
  try {
    auto file = std::make_unique<spdlog::sinks::rotating_file_sink_st>(
        options.path.string(), options.bytes_max, options.files_max);
    file->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%v", spdlog::pattern_time_type::local, std::string()));
    const std::lock_guard lock(shared_->mutex);
    shared_->file = std::move(file);
    shared_->file_drop_text = std::move(drop_text);
    return {};
  } catch (const spdlog::spdlog_ex& error) {
    return Error{ErrorCode::kIo, std::string("the log file cannot be opened: ") + error.what()};
  }
}

bool LogWriter::has_file() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->file != nullptr;
}

void LogWriter::write(std::string to_descriptor, std::string to_file) {
  Entry entry{std::move(to_descriptor), std::move(to_file)};
  const std::lock_guard lock(shared_->mutex);
  if (shared_->bytes + entry.bytes() > kQueueBytesMax) {
    ++shared_->dropped;
    return;
  }
  shared_->bytes += entry.bytes();
  shared_->queue.push_back(std::move(entry));
  shared_->changed.notify_all();
}

bool LogWriter::flush(std::uint32_t deadline_ms) {
  std::unique_lock lock(shared_->mutex);
  return shared_->changed.wait_for(lock, std::chrono::milliseconds(deadline_ms), [this] {
    return shared_->queue.empty() && !shared_->writing && shared_->dropped == 0;
  });
}

void LogWriter::run(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(
        lock, [&] { return shared->ending || !shared->queue.empty() || shared->dropped > 0; });
    if (shared->queue.empty() && shared->dropped == 0) break;
    std::deque<Entry> batch = std::exchange(shared->queue, {});
    const std::uint64_t dropped = std::exchange(shared->dropped, 0);
    const bool to_file = shared->file != nullptr;
    if (dropped > 0) {
      batch.push_back({shared->drop_text(dropped), to_file ? shared->file_drop_text(dropped) : ""});
    }
    shared->writing = true;
    lock.unlock();
    // What is being written still counts: memory is bounded by the queue's bound.
    for (const Entry& entry : batch) {
      write_all(shared->descriptor, entry.to_descriptor);
      if (to_file && !entry.to_file.empty()) shared->write_file(entry.to_file);
    }
    lock.lock();
    shared->writing = false;
    std::size_t left = 0;
    for (const Entry& entry : shared->queue) left += entry.bytes();
    shared->bytes = left;
    shared->changed.notify_all();
  }
  shared->ended = true;
  shared->changed.notify_all();
}

}  // namespace hearth::log
