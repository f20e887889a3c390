// The admin interface of a running hearth: HTTP/1.1 with JSON on the Unix socket
// <state>/admin.sock, and on TCP where that is asked for. A table of routes, to which each part of
// hearth adds its own. Owned by the App; loop thread. What the handlers use must outlive it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/guard.h"
#include "admin/route.h"
#include "base/result.h"

namespace hearth::admin {

inline constexpr char kSocketName[] = "admin.sock";  // in the state folder
// Requests at once on each listener; more get 503.
inline constexpr std::size_t kExchangesMax = 256;
// Bodies that are being read, in all on each listener; more get 503.
inline constexpr std::size_t kGatheredBytesMax = 256 * 1024 * 1024;

class Listener;

class Server {
 public:
  explicit Server(boost::asio::io_context& loop);
  ~Server();

  // Before the first request: routes are not looked for in another order than they came.
  void add(Route route);

  // One that is left there by a hearth that is gone is replaced.
  Status listen_unix(const std::filesystem::path& state);
  // kInvalid: another than a loopback address without a token. kConflict: the port is taken.
  Status listen_tcp(const Endpoint& endpoint, const std::string& token);
  // Of the TCP listener; 0: none.
  std::uint16_t port() const;

  // Ends streams, answers what is being answered, and listens no more.
  void stop();

 private:
  friend class Listener;
  const Route* find(std::string_view method, std::string_view path) const;
  std::string listing() const;

  boost::asio::io_context& loop_;
  std::vector<Route> routes_;
  std::unique_ptr<Listener> unix_;
  std::unique_ptr<Listener> tcp_;
};

}  // namespace hearth::admin
