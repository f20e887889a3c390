#include "net/http_parser.h"

#include <algorithm>
#include <cstring>

namespace hearth::net {

namespace {
constexpr std::size_t kEmptyLinesBytesMax = 8;  // before a request line; RFC 9112 section 2.2
constexpr std::size_t kOverheadBytesMax = 16UL * 1024;
constexpr unsigned kChunkDigitsMax = 16;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

bool HttpParser::refuse(std::uint16_t status, std::string message) {
  return refuse(HttpFault{status, std::move(message)});
}

bool HttpParser::refuse(HttpFault fault) {
  fault_ = std::move(fault);
  state_ = State::kFault;
  return false;
}

std::optional<std::uint64_t> HttpParser::body_left() const {
  if (state_ == State::kSized) return left_;
  if (in_body()) return std::nullopt;
  return 0;
}

HttpParser::Event HttpParser::next(std::string_view data, std::size_t body_room,
                                   std::size_t& consumed) {
  consumed = 0;
  switch (state_) {
    case State::kHead:
      return next_head(data, consumed);
    case State::kSized:
      if (left_ == 0) return end_body();
      return take_body(data, body_room, consumed);
    case State::kFault:
      return Event::kFault;
    default:
      return next_chunked(data, body_room, consumed);
  }
}

std::size_t HttpParser::scan_head(std::string_view bytes) {
  for (;;) {
    if (lines_ == 0 && line_start_ < bytes.size()) {
      const char first = bytes[line_start_];
      if (first == 0x16) {
        refuse(400, "the bytes look like a TLS handshake, and this port speaks plain HTTP");
        return 0;
      }
      if (first != '\r' && first != '\n' && !is_token({&first, 1})) {
        refuse(400, "the bytes are not an HTTP request");
        return 0;
      }
    }
    const char* from = bytes.data() + searched_;
    const auto* found = static_cast<const char*>(std::memchr(from, '\n', bytes.size() - searched_));
    const std::size_t line_end = found ? static_cast<std::size_t>(found - bytes.data()) + 1 : 0;
    if ((found ? line_end : bytes.size()) > head_bytes_max_) {
      refuse(431,
             "the request's head is larger than " + std::to_string(head_bytes_max_) + " bytes");
      return 0;
    }
    if (!found) {
      searched_ = bytes.size();
      return 0;
    }
    searched_ = line_end;
    std::string_view line = bytes.substr(line_start_, line_end - line_start_ - 1);
    if (line.empty() || line.back() != '\r') {
      refuse(400, "a line of the request's head ends without a carriage return");
      return 0;
    }
    line.remove_suffix(1);
    line_start_ = line_end;
    if (line.empty()) {
      if (lines_ > 0) return line_end;
      skipped_ = line_end;
      if (skipped_ > kEmptyLinesBytesMax) {
        refuse(400, "the request begins with empty lines");
        return 0;
      }
      continue;
    }
    if (auto fault = lines_++ == 0 ? check_request_line(line) : check_field_line(line)) {
      refuse(*std::move(fault));
      return 0;
    }
  }
}

HttpParser::Event HttpParser::next_head(std::string_view data, std::size_t& consumed) {
  if (data.empty()) return Event::kNeedMore;
  const std::size_t held = partial_.size();
  std::string_view bytes = data;
  if (held > 0) {
    // One byte past the limit is enough to see that it is passed.
    partial_.append(data.substr(0, head_bytes_max_ + 1 - held));
    bytes = partial_;
  }
  const std::size_t end = scan_head(bytes);
  if (state_ == State::kFault) return Event::kFault;
  if (end == 0) {
    if (held == 0) partial_.assign(data);
    consumed = data.size();
    return Event::kNeedMore;
  }
  consumed = end - held;
  auto fault = read_head(bytes.substr(skipped_, end - skipped_), head_);
  // A head that came in parts was large or slow: its buffer is not kept.
  if (held > 0) std::string().swap(partial_);
  line_start_ = searched_ = lines_ = skipped_ = 0;
  if (fault) {
    refuse(*std::move(fault));
    return Event::kFault;
  }
  return begin_body();
}

HttpParser::Event HttpParser::begin_body() {
  body_bytes_ = 0;
  overhead_ = 0;
  if (head_.body == BodyKind::kSized) {
    if (head_.content_length > body_bytes_max_) {
      refuse(413,
             "the request's body is larger than " + std::to_string(body_bytes_max_) + " bytes");
      return Event::kFault;
    }
    left_ = head_.content_length;
    state_ = State::kSized;
  } else if (head_.body == BodyKind::kChunked) {
    left_ = 0;
    digits_ = 0;
    state_ = State::kChunkSize;
  }
  return Event::kHead;
}

HttpParser::Event HttpParser::end_body() {
  state_ = State::kHead;
  std::string().swap(partial_);
  return Event::kBodyEnd;
}

HttpParser::Event HttpParser::take_body(std::string_view data, std::size_t body_room,
                                        std::size_t& consumed) {
  if (consumed == data.size()) return Event::kNeedMore;
  if (body_room == 0) return Event::kBlocked;
  const std::size_t take =
      static_cast<std::size_t>(std::min<std::uint64_t>({left_, body_room, data.size() - consumed}));
  body_ = data.substr(consumed, take);
  consumed += take;
  left_ -= take;
  return Event::kBody;
}

HttpParser::Event HttpParser::next_chunked(std::string_view data, std::size_t body_room,
                                           std::size_t& consumed) {
  while (consumed < data.size()) {
    if (state_ == State::kChunkData && left_ > 0) {
      const Event event = take_body(data, body_room, consumed);
      // Blocked means that nothing was consumed; the chunk's line, if any, was, which is progress.
      if (event == Event::kBlocked && consumed > 0) body_ = {};
      return event == Event::kBlocked && consumed > 0 ? Event::kBody : event;
    }
    if (state_ == State::kTrailers) {
      bool done = false;
      if (!trailer_byte(data[consumed++], done)) return Event::kFault;
      if (done) return end_body();
      continue;
    }
    if (!chunk_byte(data[consumed++])) return Event::kFault;
  }
  return Event::kNeedMore;
}

// One byte of what surrounds the chunks' data (RFC 9112 section 7.1).
bool HttpParser::chunk_byte(char byte) {
  switch (state_) {
    case State::kChunkSize: {
      const int digit = hex_digit(byte);
      if (digit >= 0) {
        if (++digits_ > kChunkDigitsMax) return refuse(400, "a chunk's size has too many digits");
        left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
        return true;
      }
      if (digits_ == 0) return refuse(400, "a chunk's size is not a hexadecimal number");
      if (byte == ';') {
        state_ = State::kChunkExtension;
        return true;
      }
      if (byte != '\r') return refuse(400, "a chunk's size is not a hexadecimal number");
      state_ = State::kChunkLineEnd;
      return true;
    }
    case State::kChunkExtension:
      if (++overhead_ > kOverheadBytesMax) return refuse(400, "the chunk extensions are too long");
      if (byte == '\r') {
        state_ = State::kChunkLineEnd;
        return true;
      }
      if ((static_cast<std::uint8_t>(byte) < 0x20 && byte != '\t') || byte == 0x7f) {
        return refuse(400, "a chunk extension has a control character");
      }
      return true;
    case State::kChunkLineEnd:
      if (byte != '\n') return refuse(400, "a chunk's size line has a bare carriage return");
      return end_chunk_line();
    case State::kChunkData:
    case State::kChunkDataCr:
      if (byte != '\r') return refuse(400, "a chunk's data is longer than its size");
      state_ = State::kChunkDataLf;
      return true;
    case State::kChunkDataLf:
      if (byte != '\n') return refuse(400, "a chunk's data does not end with CRLF");
      state_ = State::kChunkSize;
      left_ = 0;
      digits_ = 0;
      return true;
    default:
      return refuse(400, "the chunked body is wrong");
  }
}

bool HttpParser::end_chunk_line() {
  if (left_ == 0) {
    state_ = State::kTrailers;
    return true;
  }
  if (left_ > body_bytes_max_ || body_bytes_ + left_ > body_bytes_max_) {
    return refuse(
        413, "the request's body is larger than " + std::to_string(body_bytes_max_) + " bytes");
  }
  body_bytes_ += left_;
  state_ = State::kChunkData;
  return true;
}

// Trailers are checked as headers are, and dropped.
bool HttpParser::trailer_byte(char byte, bool& done) {
  if (++overhead_ > head_bytes_max_) return refuse(431, "the request's trailers are too long");
  if (byte != '\n') {
    partial_.push_back(byte);
    return true;
  }
  if (partial_.empty() || partial_.back() != '\r') {
    return refuse(400, "a trailer line ends without a carriage return");
  }
  partial_.pop_back();
  if (partial_.empty()) {
    done = true;
    return true;
  }
  if (auto fault = check_field_line(partial_)) return refuse(*std::move(fault));
  partial_.clear();
  return true;
}

}  // namespace hearth::net
