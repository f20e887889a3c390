#include "net/websocket_codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/limits.h"

namespace hearth::net {

namespace {
constexpr std::size_t kControlBytesMax = 125;

bool is_control(Opcode opcode) {
  return (static_cast<std::uint8_t>(opcode) & 8) != 0;
}

std::uint64_t big_endian(const std::uint8_t* at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | at[i];
  return value;
}
}  // namespace

bool is_close_code(std::uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

std::size_t encode_frame_head(char* out, Opcode opcode, bool compressed, std::uint64_t size) {
  out[0] = static_cast<char>(0x80 | (compressed ? 0x40 : 0) | static_cast<std::uint8_t>(opcode));
  if (size < 126) {
    out[1] = static_cast<char>(size);
    return 2;
  }
  const std::size_t width = size < 65536 ? 2 : 8;
  out[1] = static_cast<char>(width == 2 ? 126 : 127);
  for (std::size_t i = 0; i < width; ++i) {
    out[2 + i] = static_cast<char>(size >> (8 * (width - 1 - i)) & 0xff);
  }
  return 2 + width;
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (!is_close_code(code)) return payload;
  payload.push_back(static_cast<char>(code >> 8));
  payload.push_back(static_cast<char>(code & 0xff));
  std::size_t size = std::min(reason.size(), kWebSocketCloseReasonBytesMax);
  if (size < reason.size()) {
    while (size > 0 && (static_cast<std::uint8_t>(reason[size]) & 0xc0) == 0x80) --size;
  }
  const std::string_view cut = reason.substr(0, size);
  if (is_utf8(cut)) payload.append(cut);
  return payload;
}

WebSocketDecoder::Event WebSocketDecoder::fault(std::uint16_t code, std::string_view reason) {
  close_code_ = code;
  payload_ = reason;
  return Event::kFault;
}

// What the first two bytes alone show to be wrong (RFC 6455 sections 5.2, 5.4 and 5.5).
bool WebSocketDecoder::check_first_two() {
  const auto refuse = [this](std::string_view reason) {
    fault(kCloseProtocolError, reason);
    return false;
  };
  final_ = (head_[0] & 0x80) != 0;
  const bool rsv1 = (head_[0] & 0x40) != 0;
  const std::uint8_t code = head_[0] & 0x0f;
  opcode_ = static_cast<Opcode>(code);
  if ((head_[0] & 0x30) != 0) return refuse("a reserved bit of a frame is set");
  if ((code >= 3 && code <= 7) || code >= 11) return refuse("a frame has a reserved opcode");
  if (rsv1 && (!deflate_ || is_control(opcode_) || opcode_ == Opcode::kContinuation)) {
    return refuse("RSV1 is set where no compressed message begins");
  }
  if ((head_[1] & 0x80) == 0) return refuse("a client's frame is not masked");
  if (is_control(opcode_)) {
    if (!final_) return refuse("a control frame is fragmented");
    const std::uint8_t size = head_[1] & 0x7f;
    if (size > kControlBytesMax) return refuse("a control frame is longer than 125 bytes");
    if (opcode_ == Opcode::kClose && size == 1) return refuse("a close frame has half a code");
    return true;
  }
  const bool open = message_opcode_ != Opcode::kContinuation;
  if (opcode_ == Opcode::kContinuation) {
    return open || refuse("a continuation frame continues no message");
  }
  if (open) return refuse("a new message begins within a fragmented one");
  message_opcode_ = opcode_;
  compressed_ = rsv1;
  utf8_.reset();
  return true;
}

bool WebSocketDecoder::check_length(std::uint64_t length, std::size_t extended_bytes) {
  if ((extended_bytes == 2 && length < 126) || (extended_bytes == 8 && length < 65536)) {
    fault(kCloseProtocolError, "a frame's length is not in its shortest form");
    return false;
  }
  if (length >> 63 != 0) {
    fault(kCloseProtocolError, "a frame's length has its highest bit set");
    return false;
  }
  if (!is_control(opcode_) &&
      (length > message_bytes_max_ || message_.size() + length > message_bytes_max_)) {
    fault(kCloseTooBig, "the message is larger than this server takes");
    return false;
  }
  return true;
}

WebSocketDecoder::Head WebSocketDecoder::read_head(const char* data, std::size_t size,
                                                   std::size_t& consumed) {
  const auto gather = [&](std::size_t need) {
    const std::size_t take = std::min(need - head_have_, size - consumed);
    if (take > 0) std::memcpy(head_ + head_have_, data + consumed, take);
    head_have_ = static_cast<std::uint8_t>(head_have_ + take);
    consumed += take;
    return head_have_ == need;
  };
  if (head_have_ < 2) {
    if (!gather(2)) return Head::kNeedMore;
    if (!check_first_two()) return Head::kFault;
  }
  const std::uint8_t short_length = head_[1] & 0x7f;
  const std::size_t extended = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  if (head_have_ < 2 + extended && !gather(2 + extended)) return Head::kNeedMore;
  if (head_have_ == 2 + extended) {
    remaining_ = extended == 0 ? short_length : big_endian(head_ + 2, extended);
    if (!check_length(remaining_, extended)) return Head::kFault;
  }
  if (!gather(2 + extended + 4)) return Head::kNeedMore;
  std::memcpy(&mask_, head_ + 2 + extended, 4);
  head_have_ = 0;
  phase_ = 0;
  in_payload_ = true;
  return Head::kDone;
}

void WebSocketDecoder::release_shown() {
  if (std::exchange(release_message_, false)) std::string().swap(message_);
  if (std::exchange(release_control_, false)) std::string().swap(control_);
}

std::size_t WebSocketDecoder::bytes_held() {
  release_shown();
  constexpr std::size_t kInPlace = 2 * sizeof(std::string);
  const std::size_t bytes = message_.capacity() + control_.capacity();
  return bytes <= kInPlace ? 0 : bytes;
}

void WebSocketDecoder::drop() {
  std::string().swap(message_);
  std::string().swap(control_);
  release_message_ = release_control_ = false;
}

WebSocketDecoder::Event WebSocketDecoder::next(char* data, std::size_t size, std::size_t& consumed,
                                               Inflater& inflater) {
  consumed = 0;
  release_shown();
  for (;;) {
    if (!in_payload_) {
      const Head head = read_head(data, size, consumed);
      if (head == Head::kNeedMore) return Event::kNeedMore;
      if (head == Head::kFault) return Event::kFault;
    }
    char* const bytes = data + consumed;
    const auto take =
        static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, size - consumed));
    if (take > 0) unmask(bytes, take, mask_, phase_);
    phase_ = static_cast<std::uint8_t>((phase_ + take) & 3);
    remaining_ -= take;
    consumed += take;
    const std::string_view piece(bytes, take);
    if (is_control(opcode_)) {
      const bool whole = control_.empty() && remaining_ == 0;
      if (!whole) control_.append(piece);
      if (remaining_ > 0) return Event::kNeedMore;
      in_payload_ = false;
      return finish_control(whole ? piece : std::string_view(control_));
    }
    if (message_opcode_ == Opcode::kText && !compressed_ && !utf8_.feed(piece)) {
      return fault(kCloseBadData, "a text message is not UTF-8");
    }
    const bool whole =
        final_ && remaining_ == 0 && opcode_ != Opcode::kContinuation && message_.empty();
    if (!whole) {
      // A known and moderate size is reserved at once; a large claim has to be backed by bytes.
      if (message_.empty() && remaining_ < 64UL * 1024) message_.reserve(take + remaining_);
      message_.append(piece);
    }
    if (remaining_ > 0) return Event::kNeedMore;
    in_payload_ = false;
    if (final_) return finish_message(whole ? piece : std::string_view(message_), inflater);
  }
}

// What the last event showed is over.
DecoderState WebSocketDecoder::state() const {
  DecoderState state;
  if (!release_message_) state.message = message_;
  if (!release_control_) state.control = control_;
  state.head.assign(reinterpret_cast<const char*>(head_), head_have_);
  state.remaining = remaining_;
  state.mask = mask_;
  state.utf8 = utf8_.packed();
  state.phase = phase_;
  state.opcode = static_cast<std::uint8_t>(opcode_);
  state.message_opcode = static_cast<std::uint8_t>(message_opcode_);
  state.compressed = compressed_;
  state.final = final_;
  state.in_payload = in_payload_;
  return state;
}

void WebSocketDecoder::restore(DecoderState state) {
  message_ = std::move(state.message);
  control_ = std::move(state.control);
  head_have_ = static_cast<std::uint8_t>(std::min(state.head.size(), sizeof head_));
  std::memcpy(head_, state.head.data(), head_have_);
  remaining_ = state.remaining;
  mask_ = state.mask;
  utf8_.unpack(state.utf8);
  phase_ = state.phase & 3;
  opcode_ = static_cast<Opcode>(state.opcode);
  message_opcode_ = static_cast<Opcode>(state.message_opcode);
  compressed_ = state.compressed && deflate_;
  final_ = state.final;
  in_payload_ = state.in_payload;
}

WebSocketDecoder::Event WebSocketDecoder::finish_control(std::string_view payload) {
  release_control_ = true;
  if (opcode_ != Opcode::kClose) {
    payload_ = payload;
    return opcode_ == Opcode::kPing ? Event::kPing : Event::kPong;
  }
  if (payload.empty()) {
    close_code_ = kCloseNoCode;
    payload_ = {};
    return Event::kClose;
  }
  const auto* raw = reinterpret_cast<const std::uint8_t*>(payload.data());
  const auto code = static_cast<std::uint16_t>(big_endian(raw, 2));
  if (!is_close_code(code)) return fault(kCloseProtocolError, "a close frame has a reserved code");
  const std::string_view reason = payload.substr(2);
  if (!is_utf8(reason)) return fault(kCloseBadData, "a close frame's reason is not UTF-8");
  close_code_ = code;
  payload_ = reason;
  return Event::kClose;
}

WebSocketDecoder::Event WebSocketDecoder::finish_message(std::string_view payload,
                                                         Inflater& inflater) {
  const Opcode opcode = message_opcode_;
  message_opcode_ = Opcode::kContinuation;
  release_message_ = true;
  if (compressed_) {
    const auto inflated = inflater.inflate(payload, message_bytes_max_);
    if (!inflated) {
      return inflated.error().code == ErrorCode::kLimit
                 ? fault(kCloseTooBig, "the message inflates past what this server takes")
                 : fault(kCloseBadData, "a compressed message cannot be inflated");
    }
    payload = *inflated;
    if (opcode == Opcode::kText && !utf8_.feed(payload)) {
      return fault(kCloseBadData, "a text message is not UTF-8");
    }
  }
  if (opcode == Opcode::kText && !utf8_.complete()) {
    return fault(kCloseBadData, "a text message ends within a UTF-8 sequence");
  }
  payload_ = payload;
  kind_ = opcode == Opcode::kBinary ? MessageKind::kBinary
          : utf8_.ascii()           ? MessageKind::kAsciiText
                                    : MessageKind::kText;
  return Event::kMessage;
}

}  // namespace hearth::net
