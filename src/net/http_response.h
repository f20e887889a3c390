// What a server writes for a response: status line, headers that are safe to send, and how the body
// is delimited (RFC 9112 section 6). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_head.h"
#include "net/server.h"

namespace hearth::net {

// What of the request decides how its response is framed.
struct RequestTraits {
  bool is_head = false;  // the method HEAD: a head without a body
  int minor_version = 1;
  bool keep_alive = true;
};

enum class Framing : std::uint8_t { kNoBody, kSized, kChunked, kUntilClose };

struct ResponseFrame {
  Framing framing = Framing::kNoBody;
  std::uint64_t length = 0;  // when sized
  bool keep_alive = true;
};

// Appends the head to `out`. `body_bytes` is the size of a body that is known whole, nothing for a
// streamed one. A streamed response whose headers give a Content-Length is sized by it. Headers
// with characters that cannot be sent, and hop-by-hop ones, are left out.
ResponseFrame write_response_head(std::string& out, std::uint16_t status, std::string_view text,
                                  std::string_view headers, std::optional<std::uint64_t> body_bytes,
                                  const RequestTraits& request, std::string_view date);

// Appends the host's headers to a 101, but for those that the handshake decides.
void append_upgrade_headers(std::string& out, std::string_view headers);

// The headers and JSON body that tell a client what was wrong with its request.
struct FaultAnswer {
  std::string headers;  // packed
  std::string body;
};
// `words` is ServerOptions::fault_body, and may be empty.
FaultAnswer make_fault_answer(const HttpFault& fault, const FaultWords& words);

// The usual text of a status, "OK" for 200; empty for one that has none.
std::string_view default_status_text(std::uint16_t status);
// IMF-fixdate of RFC 9110 section 5.6.7.
std::string http_date(std::int64_t unix_seconds);

// Calls `use(name, value)` for each pair of a packed list.
template <typename Use>
void for_each_header(std::string_view packed, Use&& use) {
  while (!packed.empty()) {
    const std::size_t name_end = packed.find('\0');
    if (name_end == std::string_view::npos) return;
    const std::size_t value_end = packed.find('\0', name_end + 1);
    if (value_end == std::string_view::npos) return;
    use(packed.substr(0, name_end), packed.substr(name_end + 1, value_end - name_end - 1));
    packed.remove_prefix(value_end + 1);
  }
}

}  // namespace hearth::net
