// The HTTP parser on any bytes: it ends, keeps its promises about what it consumed, and gives the
// same requests however the bytes are split and however much room there is for bodies. The first
// byte of the input seeds the splits.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "net/http_parser.h"

namespace {

using hearth::net::BodyKind;
using hearth::net::HttpParser;

std::uint32_t next_random(std::uint32_t& state) {
  state = state * 1664525U + 1013904223U;
  return state >> 16;
}

// Everything that a consumer could see, as one text. `seed` 0: all bytes and all room at once.
std::string transcript(std::string_view stream, std::uint32_t seed) {
  HttpParser parser(4096, 100'000);
  std::string seen;
  std::uint32_t state = seed;
  std::size_t at = 0;
  while (at < stream.size()) {
    const std::size_t step = seed == 0 ? stream.size() : 1 + next_random(state) % 40;
    const std::string piece(stream.substr(at, step));
    at += piece.size();
    std::size_t done = 0;
    for (;;) {
      const std::size_t room = seed == 0 ? SIZE_MAX : next_random(state) % 7;
      std::size_t used = 0;
      const auto event = parser.next(std::string_view(piece).substr(done), room, used);
      ASSERT(used <= piece.size() - done, "no more is consumed than was given");
      done += used;
      if (event == HttpParser::Event::kNeedMore) {
        ASSERT(done == piece.size(), "asking for more means that all was consumed");
        break;
      }
      switch (event) {
        case HttpParser::Event::kHead: {
          auto& head = parser.head();
          ASSERT(!head.method.empty() && !head.target.empty(), "a head has a method and a target");
          ASSERT(std::count(head.headers.begin(), head.headers.end(), '\0') % 2 == 0,
                 "headers are pairs");
          ASSERT(head.headers.find_first_of("\r\n") == std::string::npos, "no header splits");
          seen += "\n" + head.method + " " + head.target + " " + head.headers + " " + head.host;
          seen += " " + std::to_string(head.content_length) + (head.keep_alive ? "k" : "c") +
                  (head.upgrade ? "u" : "") + (head.expect_continue ? "e" : "") +
                  std::to_string(static_cast<int>(head.body)) + " ";
          (void)hearth::net::absolute_url(head, "http", "h");
          break;
        }
        case HttpParser::Event::kBody:
          ASSERT(parser.body().size() <= room, "a body piece fits the room");
          seen.append(parser.body());
          break;
        case HttpParser::Event::kBodyEnd:
          seen += "\nend";
          break;
        case HttpParser::Event::kBlocked:
          ASSERT(used == 0 && room == 0, "blocked for want of room only");
          break;
        default:
          ASSERT(parser.fault().status >= 400 && !parser.fault().message.empty(),
                 "a fault says what is wrong");
          return seen + "\nfault " + std::to_string(parser.fault().status) + " " +
                 parser.fault().message;
      }
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = transcript(stream, 0);
  const std::string split = transcript(stream, data[0] + 1U);
  ASSERT(whole == split, "the splits change nothing");
  return 0;
}
