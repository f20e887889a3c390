// One request's head: what Beast's parser reads from complete, already checked bytes, and what it
// means (RFC 9112, RFC 6455 section 4.2.1). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::net {

enum class BodyKind : std::uint8_t { kNone, kSized, kChunked };

// A request that is refused: the status, one sentence that says what to change, and the fault's
// code.
struct HttpFault {
  std::uint16_t status = 400;
  std::string message;
  std::string_view code = "R411";  // R410 for a WebSocket handshake
};

struct RequestHead {
  std::string method;
  std::string target;
  std::string headers;  // packed: name NUL value NUL …
  std::string host;
  std::string forwarded_proto;       // X-Forwarded-Proto, empty when absent
  std::string websocket_key;         // set with `upgrade`
  std::string websocket_extensions;  // every offer, comma-joined
  std::uint64_t content_length = 0;  // of a sized body
  BodyKind body = BodyKind::kNone;
  int minor_version = 1;
  bool keep_alive = true;
  bool expect_continue = false;
  bool upgrade = false;  // a well-formed WebSocket opening handshake

  void clear();
};

// `raw` is a whole head, its last line empty, each line checked by check_request_line or
// check_field_line.
std::optional<HttpFault> read_head(std::string_view raw, RequestHead& head);

// A line without its CRLF. A fault when a strict reader must not go on.
std::optional<HttpFault> check_request_line(std::string_view line);
std::optional<HttpFault> check_field_line(std::string_view line);

// The absolute URL of a request, made of `head`; bytes over 127 are percent-encoded.
std::string absolute_url(const RequestHead& head, std::string_view scheme,
                         std::string_view default_host);

// Calls `use` with each trimmed, non-empty element of a comma list.
template <typename Use>
void for_each_element(std::string_view list, Use&& use) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view part = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    while (!part.empty() && (part.front() == ' ' || part.front() == '\t')) part.remove_prefix(1);
    while (!part.empty() && (part.back() == ' ' || part.back() == '\t')) part.remove_suffix(1);
    if (!part.empty()) use(part);
  }
}

bool is_token(std::string_view text);
bool equals_ignoring_case(std::string_view left, std::string_view right);

}  // namespace hearth::net
