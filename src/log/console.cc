#include "log/console.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace hearth::log {
namespace {

constexpr std::size_t kAgentWidthMax = 32;

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

LogFormat format_of(const LogOptions& options) {
  if (options.format) return *options.format;
  return ::isatty(STDERR_FILENO) == 1 ? LogFormat::kPretty : LogFormat::kJson;
}

LogRecord drop_record(std::uint64_t dropped) {
  LogRecord record{.level = core::Level::kWarn, .wall_ms = wall_ms(), .message = {}};
  record.message = std::to_string(dropped) + (dropped == 1 ? " line" : " lines") +
                   " dropped: the log was not taken as fast as it was written";
  record.dropped = dropped;
  return record;
}

}  // namespace

std::string log_line(std::string_view json) {
  LogRecord record = record_of(core::Level::kError, json, 0);
  const std::string text = pretty_text(record, {});
  // Without the time, the level and the line's end.
  constexpr std::size_t kHeadBytes = sizeof("00:00:00.000 error ") - 1;
  return text.substr(kHeadBytes, text.size() - kHeadBytes - 1);
}

Console::Console(LogOptions options)
    : options_(std::move(options)),
      format_(format_of(options_)),
      writer_(STDERR_FILENO, [format = format_, pretty = pretty_](std::uint64_t dropped) {
        const LogRecord record = drop_record(dropped);
        return format == LogFormat::kJson ? json_text(record) : pretty_text(record, pretty);
      }) {
  pretty_.colour = ::isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
}

Console::~Console() = default;

Status Console::open_file() {
  if (options_.file.path.empty()) return {};
  return writer_.open_file(options_.file,
                           [](std::uint64_t dropped) { return json_text(drop_record(dropped)); });
}

bool Console::wants(core::Level level) const {
  return !listeners_.empty() || (options_.level && level >= *options_.level);
}

void Console::say(core::Level level, std::string_view message) {
  write({.level = level, .wall_ms = wall_ms(), .message = std::string(message)});
}

void Console::tell(const core::Line& line) {
  write(record_of(line, wall_ms()));
}

void Console::host_log(core::Level level, std::string_view json) {
  write(record_of(level, json, wall_ms()));
}

void Console::write(LogRecord record) {
  if (!wants(record.level)) return;
  redactor_.redact(record);
  // One of them may go while it is told.
  for (LogListener* listener : std::vector(listeners_)) listener->on_record(record);
  if (!options_.level || record.level < *options_.level) return;
  std::string file = writer_.has_file() ? json_text(record) : std::string();
  std::string text =
      format_ == LogFormat::kJson ? (file.empty() ? json_text(record) : file) : text_of(record);
  writer_.write(std::move(text), std::move(file));
}

// Names get a column as wide as the widest so far, so that what agents say stands in line.
std::string Console::text_of(const LogRecord& record) {
  if (record.announced) return {};
  if (record.source == LogSource::kConsole || record.source == LogSource::kOutput) {
    const std::size_t width = std::min(agent_label(record).size(), kAgentWidthMax);
    pretty_.agent_width = std::max(pretty_.agent_width, width);
  }
  return pretty_text(record, pretty_);
}

void Console::add_listener(LogListener& listener) {
  listeners_.push_back(&listener);
}

void Console::remove_listener(LogListener& listener) {
  std::erase(listeners_, &listener);
}

}  // namespace hearth::log
