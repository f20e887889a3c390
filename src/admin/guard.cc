#include "admin/guard.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <charconv>
#include <utility>

#include "net/http_head.h"
#include "net/http_response.h"

namespace hearth::admin {

namespace {

std::string_view header(const net::Request& request, std::string_view name) {
  std::string_view found;
  net::for_each_header(request.headers, [&](std::string_view each, std::string_view value) {
    if (net::equals_ignoring_case(each, name)) found = value;
  });
  return found;
}

// "127.0.0.1:8788" and "[::1]:8788" without the port.
std::string_view host_of(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    return end == std::string_view::npos ? std::string_view() : text.substr(1, end - 1);
  }
  return text.substr(0, text.rfind(':'));
}

}  // namespace

bool is_loopback(std::string_view ip) {
  in_addr four{};
  in6_addr six{};
  const std::string text(ip);
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  if (::inet_pton(AF_INET6, text.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six) != 0;
  return ip == "localhost";
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const Error wrong{ErrorCode::kInvalid,
                    "\"" + std::string(text) + "\" is not [IP:]PORT, such as 127.0.0.1:8788"};
  Endpoint endpoint;
  std::string_view port = text;
  if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    endpoint.ip = host_of(text);
    port = text.substr(colon + 1);
    if (endpoint.ip == "localhost") endpoint.ip = "127.0.0.1";
    in6_addr space{};
    if (::inet_pton(AF_INET, endpoint.ip.c_str(), &space) != 1 &&
        ::inet_pton(AF_INET6, endpoint.ip.c_str(), &space) != 1) {
      return wrong;
    }
  }
  const auto [end, fault] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (port.empty() || fault != std::errc() || end != port.data() + port.size()) return wrong;
  return endpoint;
}

bool equal_secrets(std::string_view left, std::string_view right) {
  // Digests are of one length, whatever they were made of.
  unsigned char one[SHA256_DIGEST_LENGTH];
  unsigned char other[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(left.data()), left.size(), one);
  SHA256(reinterpret_cast<const unsigned char*>(right.data()), right.size(), other);
  return CRYPTO_memcmp(one, other, sizeof one) == 0;
}

std::optional<Refusal> Guard::refuse(const net::Request& request) const {
  if (kind_ == Kind::kLocal) return std::nullopt;
  if (!token_.empty()) {
    std::string_view given = header(request, "Authorization");
    constexpr std::string_view kScheme = "bearer ";
    const bool bearer = net::equals_ignoring_case(given.substr(0, kScheme.size()), kScheme);
    if (bearer && equal_secrets(given.substr(kScheme.size()), token_)) return std::nullopt;
    return Refusal{401, given.empty() ? "this server asks for its admin token, as the header "
                                        "Authorization: Bearer TOKEN"
                                      : "this is not the server's admin token"};
  }
  if (!is_loopback(host_of(header(request, "Host")))) {
    return Refusal{403,
                   "the Host of a request to the admin interface must be 127.0.0.1, [::1] or "
                   "localhost"};
  }
  const std::string_view site = header(request, "Sec-Fetch-Site");
  const bool foreign = !site.empty() && site != "none" && site != "same-origin";
  if (foreign || !header(request, "Origin").empty()) {
    return Refusal{403, "pages of web sites may not use the admin interface"};
  }
  return std::nullopt;
}

}  // namespace hearth::admin
