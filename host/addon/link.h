// The host's end of the socket to the core: frames gather in one buffer and leave in one write per
// turn of the loop; what the socket does not take stays in order and goes when it can. Past the
// bound the caller waits for the core to read (it always does: it never waits for a host).
// JavaScript thread only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/codec.h"

namespace hearth::addon {

class Link {
 public:
  // Takes the descriptor over and makes it nonblocking.
  Status open(int descriptor);
  int descriptor() const { return descriptor_; }

  template <typename Message>
  void send(const Message& message) {
    wire::append(out_, message);
    if (out_.size() - sent_ > kOutBytesMax) wait_for_room();
  }
  // Frames that are encoded already.
  void send_encoded(std::string_view frames) {
    out_.append(frames);
    if (out_.size() - sent_ > kOutBytesMax) wait_for_room();
  }

  // Writes what the socket takes. kIo when the core is gone.
  Status flush();
  // Writes until nothing is left or `deadline_ms` have passed.
  Status flush_all(int deadline_ms);
  bool has_output() const { return sent_ < out_.size(); }

  // Reads once into the shared buffer; empty `*data` at the end of the stream, kCancelled when
  // there is nothing to read now.
  Status read(std::string_view* data);

  wire::FrameReader& reader() { return reader_; }

 private:
  static constexpr std::size_t kOutBytesMax = 64 * 1024 * 1024;
  static constexpr int kRoomDeadlineMs = 30'000;

  void wait_for_room();
  Status flush_until(std::size_t rest_max, int deadline_ms);

  int descriptor_ = -1;
  std::string out_;
  std::size_t sent_ = 0;  // how much of `out_` the socket has taken
  std::string in_;
  wire::FrameReader reader_;
};

}  // namespace hearth::addon
