// The command line's way to a running hearth: asks its admin interface and reads the answer whole
// or line by line. Blocking; a connection for each request. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "admin/channel.h"
#include "admin/route.h"  // percent_encoded, for what goes into a query
#include "base/result.h"

namespace hearth::admin {

inline constexpr std::uint32_t kAnswerTimeoutMs = 30'000;

struct Answer {
  std::uint16_t status = 0;
  std::string body;
  std::string version;  // of the server; empty: it is no hearth
};

class Client {
 public:
  // The hearth that serves this state folder. kNotFound when none does.
  static Result<Client> of_state(const std::filesystem::path& state);
  // "http://HOST:PORT" or "https://HOST"; `token` may be empty.
  static Result<Client> of_url(std::string_view url, std::string token);

  // `target`: path and query. The body of a 2xx; anything else as an Error with the server's words:
  // kInvalid 400, kNotFound 404, kConflict 409, kLimit 413, kCancelled 503 or no answer in time, kIo the rest.
  Result<std::string> ask(std::string_view method, std::string_view target,
                          std::string_view body = {},
                          std::string_view content_type = "application/json");
  // Each line of a streamed answer, without its end, until the server ends it or `on_line` returns
  // false. Waits for lines for as long as it takes.
  Status follow(std::string_view target, const std::function<bool(std::string_view)>& on_line);
  // Any answer of a hearth's, whatever its status.
  Result<Answer> exchange(std::string_view method, std::string_view target, std::string_view body,
                          std::string_view content_type);

  // For requests that take long, such as a deploy.
  void set_timeout_ms(std::uint32_t timeout_ms) { timeout_ms_ = timeout_ms; }

 private:
  Client() = default;
  Result<std::unique_ptr<Channel>> connect(std::uint32_t timeout_ms) const;
  Error complaint(const Answer& answer) const;
  // Writes a request and reads its answer; the body goes to `on_body` while that returns true.
  Result<Answer> run(std::string_view method, std::string_view target, std::string_view body,
                     std::string_view content_type, std::uint32_t timeout_ms,
                     const std::function<bool(const Answer&, std::string_view)>& on_body);

  std::filesystem::path socket_;  // empty: by URL
  std::string host_;
  std::string port_;
  std::string base_;  // a path before every target
  std::string token_;
  bool secure_ = false;
  std::uint32_t timeout_ms_ = kAnswerTimeoutMs;
};

}  // namespace hearth::admin
