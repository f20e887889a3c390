#include "core/origins.h"

#include <algorithm>
#include <cctype>

namespace hearth::core {
namespace {

constexpr std::size_t kQuotedOriginBytesMax = 200;

struct Parts {
  std::string scheme;
  std::string host;  // in small letters, [::1] with its brackets
  std::string port;  // the scheme's own where none is given
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string default_port(std::string_view scheme) {
  return scheme == "https" || scheme == "wss" ? "443"
         : scheme == "http" || scheme == "ws" ? "80"
                                              : "";
}

// "scheme://host[:port]" and nothing behind it; a URL's path is cut off before.
std::optional<Parts> parts_of(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  Parts parts;
  parts.scheme = lower(text.substr(0, colon));
  std::string_view authority = text.substr(colon + 3);
  if (authority.empty() || authority.find_first_of("/?#@ ") != std::string_view::npos) {
    return std::nullopt;
  }
  // The last colon ends the host, unless it is within the brackets of an IPv6 address.
  const std::size_t bracket = authority.rfind(']');
  const std::size_t port = authority.rfind(':');
  const bool has_port =
      port != std::string_view::npos && (bracket == std::string_view::npos || port > bracket);
  parts.host = lower(authority.substr(0, has_port ? port : authority.size()));
  parts.port = has_port ? std::string(authority.substr(port + 1)) : default_port(parts.scheme);
  if (parts.host.empty() || (has_port && parts.port.empty())) return std::nullopt;
  return parts;
}

std::optional<Parts> parts_of_url(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  return parts_of(url.substr(0, url.find_first_of("/?#", colon + 3)));
}

bool is_local(std::string_view host) {
  const auto numeric = [](std::string_view text) {
    return text.find_first_not_of("0123456789.") == std::string_view::npos;
  };
  return host == "localhost" || host.ends_with(".localhost") || host == "[::1]" ||
         (host.starts_with("127.") && numeric(host));
}

// The same place, whatever scheme a proxy before us ended: a port that each scheme implies matches
// the other's.
bool same_host(const Parts& origin, const Parts& target) {
  if (origin.host != target.host) return false;
  if (origin.port == target.port) return true;
  return origin.port == default_port(origin.scheme) && target.port == default_port(target.scheme);
}

std::string quoted(std::string_view origin) {
  std::string text(origin.substr(0, kQuotedOriginBytesMax));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"') c = '?';
  }
  return text;
}

}  // namespace

Origins Origins::local() {
  Origins origins;
  origins.local_ = true;
  return origins;
}

Status Origins::allow(std::string_view pattern) {
  if (pattern == "*") {
    all_ = true;
  } else if (pattern == "local") {
    local_ = true;
  } else if (pattern == "null") {
    null_ = true;
  } else {
    const std::optional<Parts> parts = parts_of(pattern);
    if (!parts) {
      const bool bare = pattern.find("://") == std::string_view::npos;
      return Error{ErrorCode::kInvalid,
                   "\"" + std::string(pattern) + "\" is no origin: write scheme, host and port, " +
                       (bare ? "such as https://" + std::string(pattern) : "without a path")};
    }
    const std::string_view rest =
        std::string_view(parts->host).substr(parts->host.starts_with("*.") ? 2 : 0);
    const bool port_ok =
        parts->port == "*" || parts->port.find_first_not_of("0123456789") == std::string::npos;
    if (rest.empty() || rest.find('*') != std::string_view::npos || !port_ok) {
      return Error{ErrorCode::kInvalid,
                   "\"" + std::string(pattern) +
                       "\" is no origin: * stands for the first names of a host "
                       "(https://*.example.com) or for any port (http://localhost:*)"};
    }
    patterns_.push_back({parts->scheme, parts->host, parts->port});
  }
  return {};
}

bool Origins::matches(const Pattern& pattern, std::string_view scheme, std::string_view host,
                      std::string_view port) {
  if (pattern.scheme != scheme) return false;
  if (pattern.port != "*" && pattern.port != port) return false;
  if (!pattern.host.starts_with("*.")) return pattern.host == host;
  const std::string_view tail = std::string_view(pattern.host).substr(1);
  return host.size() > tail.size() && host.ends_with(tail);
}

bool Origins::allows(std::string_view origin) const {
  if (origin == "null") return null_;
  const std::optional<Parts> parts = parts_of(origin);
  if (!parts) return false;
  if (local_ && is_local(parts->host)) return true;
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& each) {
    return matches(each, parts->scheme, parts->host, parts->port);
  });
}

std::optional<Fault> Origins::refusal(std::string_view headers, std::string_view url) const {
  if (any()) return std::nullopt;
  const std::string_view origin = header_value(headers, "origin");
  if (origin.empty()) return std::nullopt;
  const std::optional<Parts> from = parts_of(origin);
  const std::optional<Parts> to = parts_of_url(url);
  if (from && to && same_host(*from, *to)) return std::nullopt;
  if (allows(origin)) return std::nullopt;
  Fault fault{.code = "R410", .status = 403};
  fault.message = "the header Origin says \"" + quoted(origin) + "\", which is not allowed here";
  fault.fix = "Start hearth with --allow-origin " +
              (origin == "null" || from ? quoted(origin) : std::string("ORIGIN")) +
              " if that page is meant to reach the agents.";
  fault.in_the_open = true;  // it is the client's own header
  return fault;
}

}  // namespace hearth::core
