// What is held, in all, of WebSocket messages that have not come whole: each may have 32 MB, and
// ten thousand clients could each begin one and send no more. When the sum passes its bound,
// sockets are closed with 1013 until an eighth of it is free again.
//
// Which ones is the point. To stop reading would not help: those who hold the most are those who do
// not go on. To close who came last would let the first abuser shut out everybody else. So the
// client's address that holds the most in all loses first, and of its sockets the one that has held
// the most for the longest (bytes times time): whoever holds much from one place pays for it, and a
// client elsewhere that is slow with one large message keeps it. Behind a proxy all clients have
// one address; there the second rule alone decides. Addresses of IPv6 count by their /64.
//
// Sessions say what they hold; nothing is looked through until the bound is passed. Owned by the
// hub; used on the loop's thread.
#pragma once

#include <cstddef>

namespace hearth::net {

class Hub;

class Unfinished {
 public:
  explicit Unfinished(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  std::size_t bytes() const { return bytes_; }
  // A session holds `now` instead of `before`. True: it is too much in all.
  bool change(std::size_t before, std::size_t now) {
    bytes_ += now - before;
    return now > before && bytes_ > bytes_max_;
  }
  // Closes sockets. The one that is being read may be among them.
  void make_room(Hub& hub);

 private:
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
};

}  // namespace hearth::net
