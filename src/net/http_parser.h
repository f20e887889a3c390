// HTTP/1.1 requests out of bytes as they come (RFC 9112): heads, sized and chunked bodies, one
// after another. Every line of a head is checked strictly before Beast's parser reads it, so that
// nothing is understood differently by this server and a proxy before it. Pure: no I/O and no
// clock. What always holds: the events are the same however the bytes are split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_head.h"

namespace hearth::net {

class HttpParser {
 public:
  enum class Event { kNeedMore, kHead, kBody, kBodyEnd, kBlocked, kFault };

  HttpParser(std::size_t head_bytes_max, std::size_t body_bytes_max)
      : head_bytes_max_(head_bytes_max), body_bytes_max_(body_bytes_max) {}

  // Reads up to one event. `consumed` bytes of `data` are done with: all with kNeedMore, none with
  // kBlocked (body bytes are there and `body_room` is 0). A body event carries at most `body_room`
  // bytes. After kFault nothing more may be fed.
  Event next(std::string_view data, std::size_t body_room, std::size_t& consumed);

  // After kHead, until the next head begins. The owner may move its strings away.
  RequestHead& head() { return head_; }
  std::string_view body() const { return body_; }
  const HttpFault& fault() const { return fault_; }
  bool in_body() const { return state_ != State::kHead && state_ != State::kFault; }
  // Part of a head has come.
  bool in_head() const { return state_ == State::kHead && (!partial_.empty() || skipped_ > 0); }
  // The bytes of the head in progress.
  std::string_view partial() const {
    return state_ == State::kHead ? std::string_view(partial_) : std::string_view();
  }
  // Bytes of a sized body that are still to come; nothing known of a chunked one.
  std::optional<std::uint64_t> body_left() const;

 private:
  enum class State : std::uint8_t {
    kHead,
    kSized,
    kChunkSize,
    kChunkExtension,
    kChunkLineEnd,
    kChunkData,
    kChunkDataCr,
    kChunkDataLf,
    kTrailers,
    kFault,
  };

  Event next_head(std::string_view data, std::size_t& consumed);
  // The end of the head in `bytes`, or 0 when more is needed; sets fault_ when it is wrong.
  std::size_t scan_head(std::string_view bytes);
  Event begin_body();
  Event next_chunked(std::string_view data, std::size_t body_room, std::size_t& consumed);
  Event take_body(std::string_view data, std::size_t body_room, std::size_t& consumed);
  bool chunk_byte(char byte);
  bool end_chunk_line();
  bool trailer_byte(char byte, bool& done);
  Event end_body();
  bool refuse(std::uint16_t status, std::string message);
  bool refuse(HttpFault fault);

  std::size_t head_bytes_max_;
  std::size_t body_bytes_max_;
  RequestHead head_;
  HttpFault fault_;
  std::string partial_;  // of a head, or of a trailer line
  std::string_view body_;
  std::size_t line_start_ = 0;  // in the head's bytes
  std::size_t searched_ = 0;    // no line end lies before it
  std::size_t lines_ = 0;
  std::size_t skipped_ = 0;  // empty lines' bytes before the request line
  std::uint64_t left_ = 0;   // of a sized body, or of the chunk
  std::uint64_t body_bytes_ = 0;
  std::size_t overhead_ = 0;  // bytes of chunk extensions and trailers
  unsigned digits_ = 0;
  State state_ = State::kHead;
};

}  // namespace hearth::net
