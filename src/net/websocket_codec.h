// RFC 6455's frames, as a server reads and writes them. The decoder takes bytes as they come,
// unmasks them in place and gives one event at a time; a message that lies whole in the bytes is
// not copied. Pure: no I/O and no clock. What always holds: the events are the same however the
// bytes are split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/deflate.h"
#include "net/handover.h"
#include "net/server.h"
#include "net/utf8.h"

namespace hearth::net {

enum class Opcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

// Close codes that the server gives on its own (RFC 6455 section 7.4.1).
enum CloseCode : std::uint16_t {
  kCloseNormal = 1000,
  kCloseProtocolError = 1002,
  kCloseNoCode = 1005,
  kCloseVanished = 1006,
  kCloseBadData = 1007,
  kCloseTooBig = 1009,
  kCloseTryLater = 1013,
};

// May an endpoint put it in a close frame?
bool is_close_code(std::uint16_t code);

inline constexpr std::size_t kFrameHeadBytesMax = 10;
// Writes the head of a final, unmasked frame; returns its size.
std::size_t encode_frame_head(char* out, Opcode opcode, bool compressed, std::uint64_t size);
// A close frame's payload: empty for a code that cannot be sent; the reason is cut to 123 bytes at
// a character's boundary, and left out when it is not UTF-8.
std::string close_payload(std::uint16_t code, std::string_view reason);

class WebSocketDecoder {
 public:
  enum class Event { kNeedMore, kMessage, kPing, kPong, kClose, kFault };

  WebSocketDecoder(std::size_t message_bytes_max, bool deflate)
      : message_bytes_max_(message_bytes_max), deflate_(deflate) {}

  // Decodes at most one event of data[0, size). `consumed` bytes are done with; kNeedMore consumes
  // all. After kFault nothing more may be fed.
  Event next(char* data, std::size_t size, std::size_t& consumed, Inflater& inflater);

  // Of the last event; views live until the next call.
  MessageKind kind() const { return kind_; }
  std::string_view payload() const { return payload_; }     // of a close: the reason
  std::uint16_t close_code() const { return close_code_; }  // of a close (1005: none), or a fault
  bool mid_message() const { return message_opcode_ != Opcode::kContinuation || in_payload_; }
  // Between two calls of next(): what another decoder needs to go on.
  DecoderState state() const;
  void restore(DecoderState state);
  // Bytes held for an unfinished message. What the last event showed is given back first.
  std::size_t bytes_held();
  // Gives all of it back: nothing more may be fed.
  void drop();

 private:
  void release_shown();
  enum class Head { kNeedMore, kDone, kFault };
  Head read_head(const char* data, std::size_t size, std::size_t& consumed);
  bool check_first_two();
  bool check_length(std::uint64_t length, std::size_t extended_bytes);
  Event finish_control(std::string_view payload);
  Event finish_message(std::string_view payload, Inflater& inflater);
  Event fault(std::uint16_t code, std::string_view reason);

  std::size_t message_bytes_max_;
  std::uint64_t remaining_ = 0;  // of the current frame's payload
  std::string message_;          // earlier fragments, or the part of a frame that has come
  std::string control_;          // a control frame that came in parts
  std::string_view payload_;
  Utf8Checker utf8_;
  std::uint32_t mask_ = 0;
  std::uint16_t close_code_ = 0;
  std::uint8_t head_[14] = {};
  std::uint8_t head_have_ = 0;
  std::uint8_t phase_ = 0;                         // of the mask
  Opcode opcode_ = Opcode::kContinuation;          // of the current frame
  Opcode message_opcode_ = Opcode::kContinuation;  // of the message in progress; none when 0
  MessageKind kind_ = MessageKind::kText;
  bool deflate_;
  bool compressed_ = false;  // the message in progress
  bool final_ = false;
  bool in_payload_ = false;
  bool release_message_ = false;  // shown by the last event: a message may be in progress around a
  bool release_control_ = false;  // control frame, so each is given back on its own
};

}  // namespace hearth::net
