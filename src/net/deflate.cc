#include "net/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <new>

#include "base/assert.h"

namespace hearth::net {

namespace {

constexpr std::size_t kKeptBytesMax = 256UL * 1024;
constexpr std::string_view kTail("\x00\x00\xff\xff", 4);

std::string_view trim_space(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Cuts off what stands before the next `mark` that is outside of quotes.
std::string_view take_until(std::string_view& rest, char mark) {
  bool quoted = false;
  std::size_t at = 0;
  for (; at < rest.size(); ++at) {
    if (rest[at] == '"') quoted = !quoted;
    if (quoted && rest[at] == '\\') {
      ++at;
      continue;
    }
    if (!quoted && rest[at] == mark) break;
  }
  at = std::min(at, rest.size());
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(std::min(rest.size(), at + 1));
  return trim_space(part);
}

// 8 to 15 without a leading zero, as RFC 7692 section 7.1.2.1 has it.
std::optional<int> window_bits(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  if (text.size() == 1 && (text[0] == '8' || text[0] == '9')) return text[0] - '0';
  if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5') {
    return 10 + (text[1] - '0');
  }
  return std::nullopt;
}

std::optional<DeflateAgreement> meet(std::string_view offer) {
  if (take_until(offer, ';') != "permessage-deflate") return std::nullopt;
  DeflateAgreement agreement;
  bool seen[4] = {};
  const auto once = [&seen](int which) { return !std::exchange(seen[which], true); };
  bool server_bits_asked = false;
  while (!offer.empty()) {
    std::string_view parameter = take_until(offer, ';');
    const bool has_value = parameter.find('=') != std::string_view::npos;
    const std::string_view name = take_until(parameter, '=');
    const std::string_view value = trim_space(parameter);
    if (name == "server_no_context_takeover") {
      if (!once(0) || has_value) return std::nullopt;
    } else if (name == "client_no_context_takeover") {
      if (!once(1) || has_value) return std::nullopt;
    } else if (name == "server_max_window_bits") {
      const auto bits = window_bits(value);
      // zlib makes no raw stream with a window of 256 bytes: such an offer is declined.
      if (!once(2) || !bits || *bits == 8) return std::nullopt;
      agreement.server_window_bits = *bits;
      server_bits_asked = true;
    } else if (name == "client_max_window_bits") {
      if (!once(3) || (has_value && !window_bits(value))) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  agreement.response = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  if (server_bits_asked) {
    agreement.response +=
        "; server_max_window_bits=" + std::to_string(agreement.server_window_bits);
  }
  return agreement;
}

Bytef* input_of(std::string_view bytes) {
  // zlib reads it only; its interface lacks the const.
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

std::optional<DeflateAgreement> negotiate_deflate(std::string_view offers) {
  while (!offers.empty()) {
    if (auto agreement = meet(take_until(offers, ','))) return agreement;
  }
  return std::nullopt;
}

struct Deflater::State {
  z_stream stream{};
  explicit State(int bits) {
    // Level 3: chat's JSON shrinks nearly as far as with 6, at half the time.
    if (deflateInit2(&stream, 3, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~State() { deflateEnd(&stream); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Deflater::Deflater() = default;
Deflater::~Deflater() = default;

void Deflater::trim() {
  if (out_.capacity() > kKeptBytesMax) out_ = std::string();
}

std::optional<std::string_view> Deflater::compress(std::string_view message, int window_bits) {
  ASSERT(window_bits >= 9 && window_bits <= 15, "a window that zlib can make");
  if (message.size() < 8 || message.size() > UINT32_MAX) return std::nullopt;
  auto& state = states_[static_cast<std::size_t>(window_bits)];
  if (!state) state = std::make_unique<State>(window_bits);
  z_stream& stream = state->stream;
  deflateReset(&stream);
  // Room for exactly what would still be a gain, and the tail that is cut off.
  const std::size_t room = message.size() - 1 + kTail.size();
  if (out_.size() < room) out_.resize(room);
  stream.next_in = input_of(message);
  stream.avail_in = static_cast<uInt>(message.size());
  stream.next_out = reinterpret_cast<Bytef*>(out_.data());
  stream.avail_out = static_cast<uInt>(room);
  const int outcome = deflate(&stream, Z_SYNC_FLUSH);
  const bool whole = outcome == Z_OK && stream.avail_in == 0 && stream.avail_out != 0;
  const std::size_t size = room - stream.avail_out;
  if (!whole || size < kTail.size()) return std::nullopt;
  const std::string_view made(out_.data(), size);
  ASSERT(made.ends_with(kTail), "a sync flush ends with an empty stored block");
  return made.substr(0, size - kTail.size());
}

struct Inflater::State {
  z_stream stream{};
  State() {
    if (inflateInit2(&stream, -15) != Z_OK) throw std::bad_alloc();
  }
  ~State() { inflateEnd(&stream); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Inflater::Inflater() = default;
Inflater::~Inflater() = default;

void Inflater::trim() {
  if (out_.capacity() > kKeptBytesMax) out_ = std::string();
}

Result<std::string_view> Inflater::inflate(std::string_view message, std::size_t bytes_max) {
  if (!state_) state_ = std::make_unique<State>();
  z_stream& stream = state_->stream;
  inflateReset(&stream);
  trim();
  std::size_t size = 0;
  const std::string_view parts[] = {message, kTail};
  for (const std::string_view part : parts) {
    stream.next_in = input_of(part);
    stream.avail_in = static_cast<uInt>(part.size());
    // An output that was just filled may hide more behind it: go on until zlib leaves room.
    bool filled = false;
    while (stream.avail_in > 0 || filled) {
      if (out_.size() - size < 1024) {
        out_.resize(std::min(bytes_max + 1, std::max<std::size_t>(out_.size() * 2, 16UL * 1024)));
      }
      const std::size_t room = out_.size() - size;
      if (room == 0) return Error{ErrorCode::kLimit, "the message inflates past the limit"};
      stream.next_out = reinterpret_cast<Bytef*>(out_.data() + size);
      stream.avail_out = static_cast<uInt>(room);
      const int outcome = ::inflate(&stream, Z_SYNC_FLUSH);
      size += room - stream.avail_out;
      filled = stream.avail_out == 0;
      if (size > bytes_max) return Error{ErrorCode::kLimit, "the message inflates past the limit"};
      if (outcome == Z_STREAM_END) {
        // A final block within a message is allowed (RFC 7692 section 7.2.3.4); more may follow it.
        inflateReset(&stream);
        filled = false;
      } else if (outcome == Z_BUF_ERROR) {
        break;  // nothing to do with an empty input
      } else if (outcome != Z_OK) {
        return Error{ErrorCode::kInvalid, "the message is not valid DEFLATE data"};
      }
    }
  }
  constexpr int kBetweenBlocks = 128;
  if ((stream.data_type & kBetweenBlocks) == 0) {
    return Error{ErrorCode::kInvalid, "the compressed message ends in the middle of a block"};
  }
  return std::string_view(out_.data(), size);
}

}  // namespace hearth::net
