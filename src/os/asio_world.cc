#include "os/asio_world.h"

#include <sys/socket.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

namespace hearth::os {

namespace asio = boost::asio;

std::int64_t SystemClock::wall_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::int64_t SystemClock::steady_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct AsioLoop::Timer {
  asio::steady_timer timer;
  std::function<void()> action;
};

AsioLoop::AsioLoop(asio::io_context& context) : context_(context) {}
AsioLoop::~AsioLoop() = default;

TimerId AsioLoop::after(std::uint32_t delay_ms, std::function<void()> action) {
  const TimerId id{++last_timer_};
  auto timer = std::unique_ptr<Timer>(new Timer{asio::steady_timer(context_), std::move(action)});
  timer->timer.expires_after(std::chrono::milliseconds(delay_ms));
  timer->timer.async_wait([this, id](const boost::system::error_code& error) {
    if (error) return;
    const auto found = timers_.find(id);
    if (found == timers_.end()) return;
    const std::function<void()> due = std::move(found->second->action);
    timers_.erase(found);
    due();
  });
  timers_.emplace(id, std::move(timer));
  return id;
}

void AsioLoop::cancel(TimerId timer) {
  timers_.erase(timer);
}

void AsioLoop::defer(std::function<void()> action) {
  asio::post(context_, std::move(action));
}

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

// Handlers in flight hold the shared state, which forgets its events when the stream is closed: so
// a stream may be destroyed inside its own event.
struct StreamState : std::enable_shared_from_this<StreamState> {
  StreamState(asio::io_context& context, Descriptor descriptor)
      : socket(context, asio::local::stream_protocol(), descriptor.release()) {
    socket.native_non_blocking(true);
  }

  void wait_read() {
    socket.async_wait(asio::socket_base::wait_read,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        if (error || self->events == nullptr) return;
                        self->read();
                      });
  }

  void read() {
    // One buffer for all streams of the loop: idle ones hold none.
    static thread_local std::vector<char> buffer(kReadBytes);
    const ssize_t size = ::recv(socket.native_handle(), buffer.data(), buffer.size(), 0);
    if (size > 0) {
      events->on_data({buffer.data(), static_cast<std::size_t>(size)});
      if (events != nullptr) wait_read();
      return;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return wait_read();
    StreamEvents* told = std::exchange(events, nullptr);
    told->on_closed();
  }

  void wait_write() {
    if (std::exchange(waiting_to_write, true)) return;
    socket.async_wait(asio::socket_base::wait_write,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        self->waiting_to_write = false;
                        if (error || self->events == nullptr) return;
                        self->events->on_writable();
                      });
  }

  asio::local::stream_protocol::socket socket;
  StreamEvents* events = nullptr;
  bool waiting_to_write = false;
};

class AsioStream final : public Stream {
 public:
  AsioStream(asio::io_context& context, Descriptor socket)
      : state_(std::make_shared<StreamState>(context, std::move(socket))) {}
  ~AsioStream() override { close(); }

  void start(StreamEvents& events) override {
    state_->events = &events;
    state_->wait_read();
  }

  std::size_t write_some(std::string_view data) override {
    std::size_t taken = 0;
    while (taken < data.size() && state_->socket.is_open()) {
      const ssize_t size = ::send(state_->socket.native_handle(), data.data() + taken,
                                  data.size() - taken, MSG_NOSIGNAL);
      if (size > 0) {
        taken += static_cast<std::size_t>(size);
        continue;
      }
      if (size < 0 && errno == EINTR) continue;
      // A broken pipe is told by the read side; what is left then goes nowhere.
      if (size < 0 && errno == EAGAIN) state_->wait_write();
      break;
    }
    return taken;
  }

  void close() override {
    state_->events = nullptr;
    boost::system::error_code ignored;
    state_->socket.close(ignored);
  }

 private:
  std::shared_ptr<StreamState> state_;
};

}  // namespace

std::unique_ptr<Stream> make_stream(asio::io_context& context, Descriptor socket) {
  return std::make_unique<AsioStream>(context, std::move(socket));
}

}  // namespace hearth::os
