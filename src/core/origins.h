// Which pages may talk to this server: a browser names the page's origin in the header Origin, on
// every WebSocket handshake and every request to another origin, and no script can change it. This
// is no authorization: whoever is no browser sends what he likes, or nothing. Plain values; the
// engine asks for each request, on the loop's thread.
//
// What always holds: a request without Origin passes, and so does one whose Origin is the host that
// it is sent to (RFC 6454 section 5, but for the scheme, which a proxy before us may have ended).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/fault.h"

namespace hearth::core {

class Origins {
 public:
  // Every origin, as Cloudflare has it.
  Origins() = default;
  // The pages of this machine: localhost, *.localhost, 127.0.0.0/8 and [::1], on any port.
  static Origins local();

  // One more that may: "https://app.example.com", "https://*.example.com" (any name below),
  // "http://localhost:*" (any port), "local" (see above), "null" (files and sandboxed frames), or
  // "*". kInvalid, with what is wrong, for anything else.
  Status allow(std::string_view pattern);

  // R410 for a request that comes from elsewhere. `headers` packed; `url` the request's, absolute.
  std::optional<Fault> refusal(std::string_view headers, std::string_view url) const;

  bool any() const { return all_ || !(local_ || null_ || !patterns_.empty()); }

 private:
  struct Pattern {
    std::string scheme;
    std::string host;  // "*.example.com": ends with ".example.com"
    std::string port;  // "*": any
  };
  bool allows(std::string_view origin) const;
  static bool matches(const Pattern& pattern, std::string_view scheme, std::string_view host,
                      std::string_view port);

  bool all_ = false;  // "*"
  bool local_ = false;
  bool null_ = false;
  std::vector<Pattern> patterns_;
};

}  // namespace hearth::core
