// What one run of the load generator is asked to do. Plain values, read once from the command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace hearth::load {

enum class Mode { kWebSocketEcho, kHttp, kIdle };

struct Options {
  Mode mode = Mode::kHttp;
  std::uint16_t port = 0;
  // "{N}" in it becomes the connection's number modulo N, "{*N}" (http) the request's.
  std::string path = "/";
  std::size_t connections = 1;
  std::size_t depth = 1;  // messages (requests) in flight on each connection
  std::size_t payload_bytes = 32;
  double warmup_s = 1;
  double seconds = 5;
  std::uint64_t operations = 0;  // http: so many requests instead of seconds, and no warm-up
};

// Empty and a message on stderr when the arguments are no run.
std::optional<Options> parse_options(int count, char** arguments);

std::string path_of(const Options& options, std::size_t connection);

// Whether the path changes from request to request, and what it is for the one with this number.
bool varies(const Options& options);
std::string path_of_request(const Options& options, std::uint64_t request);

}  // namespace hearth::load
