// Who answers one admin request: at once, later, or as a stream. A handle that is copied freely and
// may outlive the request: what is said after the client has left goes nowhere. When the last copy
// goes without an answer, the client gets 500. Loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "net/server.h"

namespace hearth::admin {

// What a stream's client may be behind; a tail that it cannot follow drops lines and says so.
inline constexpr std::size_t kStreamBytesMax = 1024 * 1024;

class Exchange;

class Responder {
 public:
  explicit Responder(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  // The whole answer; the first one counts. `json` is sent as it is, with a newline at its end.
  void answer(std::uint16_t status, std::string_view json) const;
  void ok(std::string_view json) const { answer(200, json); }
  // {"error":{"code","message","fix"}}; `code` and `fix` may be empty.
  void fail(std::uint16_t status, std::string_view code, std::string_view message,
            std::string_view fix = {}) const;
  void fail(const Error& error) const;  // 400, 404, 409, 413 or 500, by its kind

  // Begins a stream, by default of JSON lines. False when the client has left.
  bool stream(std::string_view content_type = "application/x-ndjson") const;
  // False, and nothing is sent, when the client has left or is kStreamBytesMax behind.
  bool write(std::string_view data) const;
  void end() const;

  bool gone() const;
  // Runs once when the client leaves before the end. Replaces what was set before.
  void on_gone(std::function<void()> action) const;

 private:
  std::shared_ptr<Exchange> exchange_;  // shared by the copies
};

}  // namespace hearth::admin
