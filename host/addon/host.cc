#include "host.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "events.h"

namespace hearth::addon {

namespace {

// The exit status of a host whose core speaks another protocol (EX_PROTOCOL of sysexits.h).
constexpr int kExitProtocol = 76;

Result<int> descriptor_from(const char* variable) {
  const char* text = std::getenv(variable);
  int descriptor = -1;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), descriptor);
  if (descriptor < 0) {
    return Error{ErrorCode::kInvalid, std::string(variable) +
                                          " does not name a descriptor; a host "
                                          "is started by the core, not by hand"};
  }
  return descriptor;
}

template <typename Handle>
void close_handle(Handle*& handle) {
  if (handle == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(handle),
           [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
  handle = nullptr;
}

}  // namespace

Host::Host(napi_env env) : env_(env) {
  napi_get_uv_event_loop(env, &loop_);
}

Host::~Host() {
  close_handle(poll_);
  close_handle(prepare_);
  if (page_ != nullptr) ::munmap(page_, sizeof(wire::ProgressPage));
}

Status Host::start(napi_value handlers) {
  if (started()) return Error{ErrorCode::kConflict, "the host has been started already"};
  Result<int> socket = descriptor_from("HEARTH_SOCKET_FD");
  if (!socket) return socket.error();
  Status status = link_.open(*socket);
  if (!status) return status;
  status = map_progress_page();
  if (!status) return status;

  auto poll = std::make_unique<uv_poll_t>();
  poll->data = this;
  if (const int failed = uv_poll_init(loop_, poll.get(), *socket); failed != 0) {
    return Error{ErrorCode::kIo,
                 std::string("watching the socket to the core: ") + uv_strerror(failed)};
  }
  poll_ = poll.release();
  prepare_ = new uv_prepare_t;
  prepare_->data = this;
  uv_prepare_init(loop_, prepare_);
  uv_prepare_start(prepare_,
                   [](uv_prepare_t* handle) { static_cast<Host*>(handle->data)->on_prepare(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(prepare_));
  events_ = std::make_unique<Events>(*this, handlers);
  watch(UV_READABLE);
  return {};
}

Status Host::map_progress_page() {
  Result<int> descriptor = descriptor_from("HEARTH_PROGRESS_FD");
  if (!descriptor) return descriptor.error();
  struct stat info {};
  if (::fstat(*descriptor, &info) != 0 ||
      info.st_size < static_cast<off_t>(sizeof(wire::ProgressPage))) {
    return Error{ErrorCode::kInvalid, "the progress page is too small"};
  }
  void* mapped = ::mmap(nullptr, sizeof(wire::ProgressPage), PROT_READ | PROT_WRITE, MAP_SHARED,
                        *descriptor, 0);
  if (mapped == MAP_FAILED) {
    return Error{ErrorCode::kIo, std::string("mapping the progress page: ") + std::strerror(errno)};
  }
  ::close(*descriptor);
  auto* page = static_cast<wire::ProgressPage*>(mapped);
  if (page->magic != wire::ProgressPage::kMagic || page->slots != kProgressSlots) {
    ::munmap(mapped, sizeof(wire::ProgressPage));
    return Error{ErrorCode::kConflict, "the progress page is of another version of hearth"};
  }
  page_ = page;
  return {};
}

void Host::watch(int events) {
  if (poll_ == nullptr || events == watched_) return;
  watched_ = events;
  uv_poll_start(poll_, events, [](uv_poll_t* handle, int status, int ready) {
    auto* host = static_cast<Host*>(handle->data);
    if (status < 0 || (ready & UV_READABLE) != 0) {
      host->on_readable();
    } else {
      host->flush();
    }
  });
}

void Host::on_readable() {
  // One read per turn of the loop: timers and other I/O of user code get theirs between.
  std::string_view data;
  Status status = link_.read(&data);
  if (!status && status.error().code == ErrorCode::kCancelled) return;
  if (!status || data.empty()) return on_core_gone();
  status = link_.reader().feed(data, [this](std::string_view frame) {
    Status handled = events_->dispatch(frame);
    end_turn();
    return handled;
  });
  if (!status) {
    std::fprintf(stderr, "hearth host: %s from the core; ending\n", status.error().message.c_str());
    finish();
    std::_Exit(kExitProtocol);
  }
  flush();
}

void Host::on_prepare() {
  page_->heartbeat.fetch_add(1, std::memory_order_relaxed);
  end_turn();
  flush();
}

void Host::end_turn() {}

void Host::flush() {
  if (core_gone_) return;
  if (!link_.flush()) return on_core_gone();
  watch(link_.has_output() ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

void Host::finish() {
  end_turn();
  if (!core_gone_ && started()) (void)link_.flush_all(kFinishDeadlineMs).ok();
}

void Host::on_core_gone() {
  if (core_gone_) return;
  core_gone_ = true;
  close_handle(poll_);
  finish();
  events_->exit_process();
}

}  // namespace hearth::addon
