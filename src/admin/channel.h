// A connection to an admin interface: a Unix socket, TCP, or TLS over TCP with the certificate
// checked against the system's. Blocking, with a limit on every wait. For the command line; one
// thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::admin {

class Channel {
 public:
  virtual ~Channel() = default;
  virtual Status write(std::string_view data) = 0;
  // How much came; 0: the end. kCancelled when nothing came in time.
  virtual Result<std::size_t> read(char* into, std::size_t room) = 0;
};

// kNotFound: nobody listens there.
Result<std::unique_ptr<Channel>> open_unix_channel(const std::filesystem::path& path,
                                                   std::uint32_t timeout_ms);
Result<std::unique_ptr<Channel>> open_tcp_channel(const std::string& host, const std::string& port,
                                                  bool secure, std::uint32_t timeout_ms);

}  // namespace hearth::admin
