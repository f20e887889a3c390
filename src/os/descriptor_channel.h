// Frames and open descriptors between two processes, over a Unix stream socket: what one process
// hands to another that takes its place. A frame may carry one descriptor, which the receiver then
// has a copy of. Sending and receiving wait, up to a limit: it is used by processes that have
// nothing else to do meanwhile. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "os/descriptor.h"

namespace hearth::os {

class DescriptorChannel {
 public:
  // A connected Unix stream socket.
  explicit DescriptorChannel(Descriptor socket);
  int descriptor() const { return socket_.get(); }
  bool open() const { return static_cast<bool>(socket_); }
  void close() { socket_.reset(); }

  // Gathers; leaves with flush(), or when much has gathered. `carried` stays the caller's, and must
  // stay open until flush().
  Status send(std::string_view frame, int carried = -1);
  Status flush();

  struct Frame {
    std::string bytes;
    Descriptor carried;
  };
  // The next frame. kNotFound: the other end closed; kIo: nothing came for `wait_ms`, or what came
  // is no frame.
  Result<Frame> receive(int wait_ms);

 private:
  Status write_out(std::string_view bytes, const std::vector<int>& descriptors);
  Status read_more(int wait_ms);

  Descriptor socket_;
  std::string out_;
  std::vector<int> out_carried_;
  std::string in_;
  std::size_t taken_ = 0;  // of in_
  std::deque<Descriptor> in_carried_;
};

}  // namespace hearth::os
