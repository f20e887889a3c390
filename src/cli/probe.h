// A client that looks at a server as strangers see it: one connection, plain or TLS, with a
// deadline for each step, and every step's own words for what went wrong. Blocking, for commands
// that do nothing else meanwhile; no loop, no thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::cli {

struct Url {
  bool secure = false;
  std::string host;  // an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::string path;  // without a slash at its end; empty for the root

  std::string authority() const;  // as the header Host has it
  std::string origin() const;     // "https://host:port", the port only where it is not the scheme's
};
// http, https, ws or wss. kInvalid says what is missing.
Result<Url> parse_url(std::string_view text);

// A connected stream. Bytes come and go with `timeout_ms` for each call.
class Wire {
 public:
  virtual ~Wire() = default;
  // kNotFound: the name or the port; kLimit: it took too long; kInvalid: TLS could not be agreed
  // on.
  static Result<std::unique_ptr<Wire>> open(const Url& url, std::uint32_t timeout_ms);

  virtual Status write(std::string_view data, std::uint32_t timeout_ms) = 0;
  // What has come, at most 16 KiB; empty at the end of the stream. kLimit in the time given; kIo.
  virtual Result<std::string> read(std::uint32_t timeout_ms) = 0;
  // What a browser would object to in the certificate; empty when nothing, or without TLS.
  virtual std::string certificate_problem() const { return {}; }
};

struct HttpAnswer {
  int minor_version = 1;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in small letters
  std::string body;                                          // its first 16 KiB
  std::string rest;                                          // what came behind a 101
  std::string_view header(std::string_view name) const;
};
// Sends the request and reads its answer. kCorrupt: it is not HTTP.
Result<HttpAnswer> ask(Wire& wire, std::string_view request, std::uint32_t timeout_ms);

// A server's frames (RFC 6455 section 5), and the two that a visitor answers with.
struct Frame {
  std::uint8_t opcode = 0;
  std::string payload;
};
class Frames {
 public:
  void feed(std::string_view data) { pending_ += data; }
  // The next whole frame. kLimit: one that is larger than a greeting can be; kCorrupt.
  Result<std::optional<Frame>> next();

 private:
  std::string pending_;
};
std::string client_frame(std::uint8_t opcode, std::string_view payload);

}  // namespace hearth::cli
