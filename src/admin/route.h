// What the admin interface serves: a request as a handler sees it, the one who answers it, and a
// table's row. Handlers run on the event loop's thread and must not block it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "admin/responder.h"

namespace hearth::admin {

inline constexpr std::size_t kBodyBytesMax = 64 * 1024;  // of a route that asks for no other bound

struct Request {
  std::string method;
  std::string path;     // without its query
  std::string query;    // as sent, without the question mark
  std::string headers;  // packed: name NUL value NUL …
  std::string body;     // whole
  bool local = false;   // over the Unix socket: the user of the state folder itself

  // A field of the query, percent-decoded; empty when it is missing.
  std::string field(std::string_view name) const;
  bool has_field(std::string_view name) const;
  std::string_view header(std::string_view name) const;
};

using Handler = std::function<void(const Request&, Responder)>;

// `path` is matched whole: what names an agent goes into the query, where any character may be.
struct Route {
  std::string method;
  std::string path;
  Handler handle;
  std::size_t body_bytes_max = kBodyBytesMax;
  std::string what{};  // one line, for the list of routes
};

std::string percent_encoded(std::string_view text);

}  // namespace hearth::admin
