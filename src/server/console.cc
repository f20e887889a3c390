#include "server/console.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/fault.h"

namespace hearth::server {

namespace {

spdlog::level::level_enum as_spdlog(core::Level level) {
  switch (level) {
    case core::Level::kDebug:
      return spdlog::level::debug;
    case core::Level::kInfo:
      return spdlog::level::info;
    case core::Level::kWarn:
      return spdlog::level::warn;
    case core::Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out += "\n    ";
    out += text.substr(0, end);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

std::string log_line(std::string_view json) {
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object()) return std::string(json);
  std::string line;
  const std::string code = text_of(parsed, "code");
  if (!code.empty()) line += code + " ";
  const std::string class_name = text_of(parsed, "class");
  const std::string agent = text_of(parsed, "agent");
  if (!class_name.empty() || !agent.empty()) {
    line += class_name + (class_name.empty() || agent.empty() ? "" : "/") + agent + ": ";
  }
  const std::string message = text_of(parsed, "message");
  line += message;
  const std::string where = text_of(parsed, "where");
  if (!where.empty()) line += " (" + where + ")";
  std::string stack = core::own_frames(text_of(parsed, "stack"));
  // V8's stacks begin with the message again.
  const std::size_t frames = stack.find("\n    at ");
  if (frames != std::string::npos && stack.substr(0, frames).find(message) != std::string::npos) {
    stack.erase(0, frames + 1);
  }
  std::string trimmed;
  std::string_view rest = stack;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view frame = rest.substr(0, end);
    frame.remove_prefix(std::min(frame.find_first_not_of(' '), frame.size()));
    trimmed += std::string(frame) + "\n";
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return line + indented(trimmed);
}

Console::Console() {
  const bool colour = ::isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_st>(
      colour ? spdlog::color_mode::always : spdlog::color_mode::never);
  logger_ = std::make_shared<spdlog::logger>("hearth", std::move(sink));
  logger_->set_pattern("%H:%M:%S.%e %^%l%$ %v");
  logger_->set_level(spdlog::level::info);
  logger_->flush_on(spdlog::level::debug);
}

Console::~Console() = default;

void Console::say(core::Level level, std::string_view message) {
  logger_->log(as_spdlog(level), message);
}

void Console::host_log(core::Level level, std::string_view json) {
  logger_->log(as_spdlog(level), log_line(json));
}

}  // namespace hearth::server
