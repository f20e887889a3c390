// The strict reading of a head's lines, before any parser that might be lenient sees them.
#include <algorithm>
#include <array>

#include "net/http_head.h"

namespace hearth::net {

namespace {

constexpr std::array<bool, 256> token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c :
       {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
    table[static_cast<std::size_t>(c)] = true;
  }
  return table;
}
constexpr auto kToken = token_table();

HttpFault bad(std::string message) {
  return {400, std::move(message)};
}

std::optional<HttpFault> check_target(std::string_view method, std::string_view target) {
  if (target.empty()) return bad("the request line has no target");
  for (const char c : target) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte <= 0x20 || byte == 0x7f)
      return bad("the request target has a space or control character");
    if (c == '#')
      return bad("the request target has a fragment (#), which clients keep to themselves");
    if (c == '\\' || c == '"' || c == '<' || c == '>') {
      return bad("the request target has a character that must be percent-encoded");
    }
  }
  if (target == "*") {
    return method == "OPTIONS" ? std::nullopt
                               : std::optional(bad("the target * goes with OPTIONS only"));
  }
  if (target.front() == '/') return std::nullopt;
  std::string scheme(target.substr(0, 8));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const std::size_t skip = scheme == "https://" ? 8 : scheme.starts_with("http://") ? 7 : 0;
  if (skip == 0) return bad("the request target is neither a path nor an absolute http URL");
  const std::string_view authority = target.substr(skip, target.find_first_of("/?", skip) - skip);
  if (authority.empty() || authority.find('@') != std::string_view::npos) {
    return bad("the request target's URL has no host, or one with user information");
  }
  return std::nullopt;
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return kToken[static_cast<std::uint8_t>(c)]; });
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

std::optional<HttpFault> check_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return bad("the request line is not METHOD SP TARGET SP HTTP/1.1");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return bad("the request's method is not a token");
  if (method.size() > 32) return HttpFault{501, "the request's method is unknown"};
  const bool shaped = version.size() == 8 && version.starts_with("HTTP/") && version[5] >= '0' &&
                      version[5] <= '9' && version[6] == '.' && version[7] >= '0' &&
                      version[7] <= '9';
  if (!shaped) return bad("the request line does not end with HTTP/1.1");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return HttpFault{505, "this server speaks HTTP/1.1 and HTTP/1.0"};
  }
  if (method == "CONNECT" || method == "TRACE") {
    return HttpFault{501, std::string(method) + " is not offered by this server"};
  }
  return check_target(method, line.substr(first + 1, last - first - 1));
}

std::optional<HttpFault> check_field_line(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    return bad("a header is continued on a second line (obs-fold)");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad("a header line has no colon");
  const std::string_view name = line.substr(0, colon);
  if (name.empty()) return bad("a header has no name");
  if (name.back() == ' ' || name.back() == '\t') {
    return bad("a header has a space between its name and the colon");
  }
  if (!is_token(name)) return bad("a header's name has a character that is not allowed in one");
  for (const char c : line.substr(colon + 1)) {
    const auto byte = static_cast<std::uint8_t>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
      return bad("the header " + std::string(name.substr(0, 64)) + " has a control character");
    }
  }
  return std::nullopt;
}

std::string absolute_url(const RequestHead& head, std::string_view scheme,
                         std::string_view default_host) {
  std::string url;
  const std::string_view target = head.target;
  url.reserve(scheme.size() + 3 + head.host.size() + target.size());
  const auto put = [&url](std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    for (const char c : text) {
      const auto byte = static_cast<std::uint8_t>(c);
      if (byte < 0x80) {
        url.push_back(c);
      } else {
        url.push_back('%');
        url.push_back(kDigits[byte >> 4]);
        url.push_back(kDigits[byte & 15]);
      }
    }
  };
  if (target.front() != '/' && target != "*") {
    put(target);
    return url;
  }
  url.append(scheme).append("://").append(head.host.empty() ? default_host : head.host);
  put(target == "*" ? std::string_view("/*") : target);
  return url;
}

}  // namespace hearth::net
