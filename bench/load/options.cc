#include "options.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace hearth::load {
namespace {

constexpr const char* kUsage =
    "usage: hearth_load ws|http|idle --port N [--path /p] [--connections N] [--depth N]\n"
    "                   [--payload BYTES] [--warmup S] [--seconds S] [--operations N]\n"
    "  ws    echo: sends text, checks that each answer is what was sent, in order\n"
    "  http  keep-alive GET; with --operations so many of them, timed as a whole\n"
    "  idle  opens WebSockets, prints {\"open\":N}, holds them until standard input ends\n";

bool set(Options& options, std::string_view name, const char* value) {
  if (name == "--port") {
    options.port = static_cast<std::uint16_t>(std::atoi(value));
  } else if (name == "--path") {
    options.path = value;
  } else if (name == "--connections") {
    options.connections = std::strtoul(value, nullptr, 10);
  } else if (name == "--depth") {
    options.depth = std::strtoul(value, nullptr, 10);
  } else if (name == "--payload") {
    options.payload_bytes = std::strtoul(value, nullptr, 10);
  } else if (name == "--warmup") {
    options.warmup_s = std::atof(value);
  } else if (name == "--seconds") {
    options.seconds = std::atof(value);
  } else if (name == "--operations") {
    options.operations = std::strtoull(value, nullptr, 10);
  } else {
    return false;
  }
  return true;
}

bool usable(const Options& options) {
  return options.port != 0 && options.connections > 0 && options.depth > 0 &&
         options.payload_bytes >= 16 && options.payload_bytes <= 65535 && options.seconds > 0;
}

}  // namespace

std::optional<Options> parse_options(int count, char** arguments) {
  Options options;
  const std::string_view mode = count > 1 ? arguments[1] : "";
  bool good = mode == "ws" || mode == "http" || mode == "idle";
  options.mode = mode == "ws" ? Mode::kWebSocketEcho : mode == "idle" ? Mode::kIdle : Mode::kHttp;
  for (int i = 2; good && i < count; i += 2) {
    good = i + 1 < count && set(options, arguments[i], arguments[i + 1]);
  }
  if (good && usable(options)) return options;
  std::fputs(kUsage, stderr);
  return std::nullopt;
}

namespace {

// The path with what stands between `open` and the next brace replaced by `number` modulo it.
std::string numbered(const std::string& path, std::string_view open, std::uint64_t number) {
  const auto at = path.find(open);
  const auto close = path.find('}', at);
  if (at == std::string::npos || close == std::string::npos) return path;
  const auto modulo = std::strtoull(path.c_str() + at + open.size(), nullptr, 10);
  return path.substr(0, at) + std::to_string(number % (modulo == 0 ? 1 : modulo)) +
         path.substr(close + 1);
}

}  // namespace

bool varies(const Options& options) {
  return options.path.find("{*") != std::string::npos;
}

std::string path_of(const Options& options, std::size_t connection) {
  return numbered(options.path, "{", connection);
}

std::string path_of_request(const Options& options, std::uint64_t request) {
  return numbered(options.path, "{*", request);
}

}  // namespace hearth::load
