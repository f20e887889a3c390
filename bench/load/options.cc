#include "options.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace hearth::load {
namespace {

constexpr const char* kUsage =
    "usage: hearth_load ws|http|idle --port N [--path /p] [--connections N] [--depth N]\n"
    "                   [--payload BYTES] [--warmup S] [--seconds S]\n"
    "  ws    echo: sends text, checks that each answer is what was sent, in order\n"
    "  http  keep-alive GET\n"
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

std::string path_of(const Options& options, std::size_t connection) {
  const auto open = options.path.find('{');
  const auto close = options.path.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return options.path;
  const auto modulo = std::strtoul(options.path.c_str() + open + 1, nullptr, 10);
  return options.path.substr(0, open) + std::to_string(connection % (modulo == 0 ? 1 : modulo)) +
         options.path.substr(close + 1);
}

}  // namespace hearth::load
