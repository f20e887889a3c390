// The core's end of the socket to one host. Frames sent during a turn of the loop gather in one
// buffer and leave in one write at its end; what the socket does not take waits, and counts. Frames
// that arrive are cut and handed on in order. Loop thread; owned by a Host.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/world.h"
#include "wire/codec.h"

namespace hearth::core {

class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  virtual Status on_frame(std::string_view frame) = 0;
  // Every frame that was there has been handed over.
  virtual void on_batch_end() = 0;
  // Bytes have left: there may be room again.
  virtual void on_drained() = 0;
  // End of file, or a frame that was refused (`reason` says why). Nothing follows.
  virtual void on_link_closed(std::string_view reason) = 0;
};

class HostLink final : public os::StreamEvents {
 public:
  HostLink(os::Loop& loop, std::unique_ptr<os::Stream> stream, LinkEvents& events);
  ~HostLink() override;

  template <typename Message>
  void send(const Message& message) {
    if (!stream_) return;
    wire::append(out_, message);
    written();
  }
  // A whole frame, as it is.
  void send_frame(std::string_view frame) {
    if (!stream_) return;
    out_.append(frame);
    written();
  }
  void flush();
  std::size_t buffered() const { return out_.size() - sent_; }
  bool open() const { return stream_ != nullptr; }
  // No event follows; what was not written is dropped.
  void close();

 private:
  void on_data(std::string_view data) override;
  void on_writable() override;
  void on_closed() override;
  void written();

  os::Loop& loop_;
  std::unique_ptr<os::Stream> stream_;
  std::unique_ptr<os::Stream> closed_stream_;  // kept while one of its events runs
  LinkEvents& events_;
  wire::FrameReader reader_;
  std::string out_;
  std::size_t sent_ = 0;
  bool flush_due_ = false;
  bool blocked_ = false;         // the socket is full; on_writable follows
  std::shared_ptr<bool> alive_;  // deferred flushes outlive the link
};

}  // namespace hearth::core
