#include "core/host_link.h"

#include <utility>

namespace hearth::core {

namespace {
// A turn that produces more than this writes before its end, so that the host starts early.
constexpr std::size_t kEarlyWriteBytes = 256 * 1024;
constexpr std::size_t kKeptBufferBytes = 1024 * 1024;
}  // namespace

HostLink::HostLink(os::Loop& loop, std::unique_ptr<os::Stream> stream, LinkEvents& events)
    : loop_(loop),
      stream_(std::move(stream)),
      events_(events),
      alive_(std::make_shared<bool>(true)) {
  stream_->start(*this);
}

HostLink::~HostLink() {
  *alive_ = false;
}

void HostLink::written() {
  if (blocked_) return;
  if (buffered() >= kEarlyWriteBytes) return flush();
  if (std::exchange(flush_due_, true)) return;
  loop_.defer([this, alive = alive_] {
    if (*alive) flush();
  });
}

void HostLink::flush() {
  flush_due_ = false;
  if (!stream_ || buffered() == 0) return;
  sent_ += stream_->write_some(std::string_view(out_).substr(sent_));
  blocked_ = sent_ < out_.size();
  if (!blocked_) {
    if (out_.capacity() > kKeptBufferBytes) {
      std::string().swap(out_);
    } else {
      out_.clear();
    }
    sent_ = 0;
  } else if (sent_ > kKeptBufferBytes && sent_ > out_.size() / 2) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
}

void HostLink::close() {
  if (!stream_) return;
  stream_->close();
  // The stream may be the caller further up: it goes with the link.
  closed_stream_ = std::move(stream_);
  std::string().swap(out_);
  sent_ = 0;
}

void HostLink::on_data(std::string_view data) {
  const std::shared_ptr<bool> alive = alive_;
  const Status status = reader_.feed(data, [&](std::string_view frame) -> Status {
    Status handled = events_.on_frame(frame);
    if (handled && (!*alive || !stream_)) return Error{ErrorCode::kCancelled, "closed meanwhile"};
    return handled;
  });
  if (!*alive || !stream_) return;
  if (!status) {
    close();
    events_.on_link_closed(status.error().message);
    return;
  }
  events_.on_batch_end();
}

void HostLink::on_writable() {
  blocked_ = false;
  flush();
  events_.on_drained();
}

void HostLink::on_closed() {
  close();
  events_.on_link_closed("");
}

}  // namespace hearth::core
