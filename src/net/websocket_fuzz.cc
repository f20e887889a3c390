// The WebSocket decoder on any bytes: it ends, stays within its bounds, and gives the same events
// however the bytes are split. The first byte of the input seeds the splits; its lowest bit says
// whether compression is agreed on. Also the parser of the extension's offers.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "net/websocket_codec.h"

namespace {

using hearth::net::Inflater;
using hearth::net::MessageKind;
using hearth::net::WebSocketDecoder;

constexpr std::size_t kMessageMax = 64 * 1024;

std::uint32_t next_random(std::uint32_t& state) {
  state = state * 1664525U + 1013904223U;
  return state >> 16;
}

std::string transcript(std::string_view stream, std::uint32_t seed, bool deflate) {
  static Inflater inflater;
  WebSocketDecoder decoder(kMessageMax, deflate);
  std::string seen;
  std::uint32_t state = seed;
  std::size_t at = 0;
  while (at < stream.size()) {
    const std::size_t step = seed == 0 ? stream.size() : 1 + next_random(state) % 30;
    std::string piece(stream.substr(at, step));
    at += piece.size();
    std::size_t done = 0;
    for (;;) {
      std::size_t used = 0;
      const auto event = decoder.next(piece.data() + done, piece.size() - done, used, inflater);
      ASSERT(used <= piece.size() - done, "no more is consumed than was given");
      done += used;
      if (event == WebSocketDecoder::Event::kNeedMore) {
        ASSERT(done == piece.size(), "asking for more means that all was consumed");
        ASSERT(decoder.bytes_held() <= 2 * kMessageMax + 1024, "what is held is bounded");
        break;
      }
      const std::string_view payload = decoder.payload();
      ASSERT(payload.size() <= kMessageMax, "a message keeps to the limit");
      seen += "\n" + std::to_string(static_cast<int>(event)) + " ";
      if (event == WebSocketDecoder::Event::kMessage) {
        seen += std::to_string(static_cast<int>(decoder.kind()));
        const bool text = decoder.kind() != MessageKind::kBinary;
        ASSERT(!text || hearth::net::is_utf8(payload), "text is UTF-8");
        ASSERT(decoder.kind() != MessageKind::kAsciiText ||
                   hearth::net::ascii_prefix(payload) == payload.size(),
               "what is called ASCII is ASCII");
      } else if (event == WebSocketDecoder::Event::kClose) {
        ASSERT(decoder.close_code() == hearth::net::kCloseNoCode ||
                   hearth::net::is_close_code(decoder.close_code()),
               "a close code may be sent");
        seen += std::to_string(decoder.close_code());
      } else if (event == WebSocketDecoder::Event::kFault) {
        return seen + std::to_string(decoder.close_code()) + std::string(payload);
      } else {
        ASSERT(payload.size() <= 125, "a control frame is small");
      }
      seen.append(payload);
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool deflate = (data[0] & 1) != 0;
  const std::string whole = transcript(stream, 0, deflate);
  const std::string split = transcript(stream, data[0] + 1U, deflate);
  ASSERT(whole == split, "the splits change nothing");
  if (const auto agreement = hearth::net::negotiate_deflate(stream.substr(0, 200))) {
    ASSERT(agreement->server_window_bits >= 9 && agreement->server_window_bits <= 15,
           "an agreed window is one that zlib can make");
  }
  return 0;
}
