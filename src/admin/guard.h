// Who may ask the admin interface. The Unix socket's file lets only its owner in. On TCP a token is
// asked for; without one only this machine may ask, and not its browsers: pages of other sites may
// not reach in, neither through a name of theirs that points here (DNS rebinding: the Host must be
// this machine's own) nor with a request that needs no permission (an Origin, or Sec-Fetch-Site, is
// refused). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/server.h"

namespace hearth::admin {

struct Endpoint {
  std::string ip = "127.0.0.1";
  std::uint16_t port = 0;
};
// "PORT", "IP:PORT" or "[IPv6]:PORT".
Result<Endpoint> parse_endpoint(std::string_view text);
bool is_loopback(std::string_view ip);

struct Refusal {
  std::uint16_t status = 403;
  std::string message;
};

class Guard {
 public:
  // Without a token: loopback only.
  static Guard local() { return Guard(Kind::kLocal, {}); }
  static Guard network(std::string token) { return Guard(Kind::kNetwork, std::move(token)); }

  std::optional<Refusal> refuse(const net::Request& request) const;
  bool is_local() const { return kind_ == Kind::kLocal; }

 private:
  enum class Kind { kLocal, kNetwork };
  Guard(Kind kind, std::string token) : kind_(kind), token_(std::move(token)) {}
  Kind kind_;
  std::string token_;
};

// In a time that says nothing of where they differ.
bool equal_secrets(std::string_view left, std::string_view right);

}  // namespace hearth::admin
