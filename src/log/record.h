// One line of the log, whoever said it, and the two forms in which it leaves: text for people and
// one JSON object for programs (docs/logs.md). Plain values; the functions are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/report.h"

namespace hearth::log {

// Who speaks: hearth itself, a host's report on user code, user code's console, or the bytes that
// some process of a host printed.
enum class LogSource : std::uint8_t { kCore, kHost, kConsole, kOutput };

struct LogRecord {
  core::Level level = core::Level::kInfo;
  LogSource source = LogSource::kCore;
  std::int64_t wall_ms = 0;
  std::string message;
  std::string code{};
  std::string class_name{};
  std::string agent{};
  std::string what{};  // which handler
  std::string where{};
  std::string fix{};
  std::string stack{};
  std::string reference{};
  std::uint64_t request = 0;
  std::uint64_t connection = 0;
  std::uint64_t cut = 0;      // characters that are missing at the message's end
  std::uint64_t dropped = 0;  // lines that this one stands for
  std::uint64_t host = 0;     // whose output it is, when no more is known
  // Of output: more of the line may follow in another record; this one goes on with what another
  // began.
  bool partial = false;
  bool continued = false;
  // Standard output has said it already: the pretty form would say it twice.
  bool announced = false;
};

std::string_view to_string(core::Level level);
std::string_view to_string(LogSource source);
std::optional<core::Level> level_named(std::string_view name);

LogRecord record_of(const core::Line& line, std::int64_t wall_ms);
// From a Log frame's JSON; text that is no JSON is the message.
LogRecord record_of(core::Level level, std::string_view json, std::int64_t wall_ms);

// "Class/agent", or as much of it as is known.
std::string agent_label(const LogRecord& record);

struct PrettyOptions {
  bool colour = false;
  std::size_t agent_width = 0;  // of the column in which console lines have their agent
};
// Lines of text, each ended. Control characters, with which a text could repaint the terminal, are
// made visible; colours of the text's own are kept where colours are.
std::string pretty_text(const LogRecord& record, const PrettyOptions& options);
// One line, ended.
std::string json_text(const LogRecord& record);
// json_text's line again as a record; nothing when it is none.
std::optional<LogRecord> record_of_json(std::string_view line);

}  // namespace hearth::log
