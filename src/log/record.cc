#include "log/record.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/time_text.h"
#include "core/fault.h"

namespace hearth::log {
namespace {

using Json = nlohmann::ordered_json;
using core::Level;

constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warn", "error"};
constexpr std::array<const char*, 4> kLevelColours{"2", "32", "33", "1;31"};
// For agents' names, so that lines of one are told from those of another.
constexpr std::array<const char*, 6> kAgentColours{"36", "35", "34", "96", "95", "94"};

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>()
                            : found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::uint64_t number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string painted(bool colour, const char* code, const std::string& text) {
  return colour ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

std::string clock_text(std::int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%03d", parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(wall_ms % 1000));
  return text;
}

// The time of time_text_ms again; 0 when it is none.
std::int64_t time_of(const std::string& text) {
  std::tm parts{};
  int milliseconds = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec,
                  &milliseconds) != 7) {
    return 0;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  return static_cast<std::int64_t>(::timegm(&parts)) * 1000 + milliseconds;
}

// The length of a colour sequence ("\x1b[1;31m") at the front of `text`, or 0.
std::size_t colour_sequence(std::string_view text) {
  if (text.size() < 3 || text[0] != '\x1b' || text[1] != '[') return 0;
  std::size_t at = 2;
  while (at < text.size() && ((text[at] >= '0' && text[at] <= '9') || text[at] == ';')) ++at;
  return at < text.size() && text[at] == 'm' ? at + 1 : 0;
}

std::string visible(std::string_view text, bool colour) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  bool coloured = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\x1b') {
      if (const std::size_t size = colour_sequence(text.substr(i))) {
        if (colour) out += text.substr(i, size);
        coloured = colour;
        i += size - 1;
        continue;
      }
    }
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
      out += {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
    } else {
      out += text[i];
    }
  }
  return coloured ? out + "\x1b[0m" : out;
}

// `text` with its second and later lines moved in.
std::string indented(const std::string& text, std::size_t columns) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out.append(columns, ' ');
  }
  return out;
}

// The user's own frames, without the message that V8's stacks begin with, each moved in.
std::string frames_of(const LogRecord& record) {
  std::string stack = core::own_frames(record.stack);
  const std::size_t frames = stack.find("\n    at ");
  if (frames != std::string::npos &&
      stack.substr(0, frames).find(record.message) != std::string::npos) {
    stack.erase(0, frames + 1);
  }
  std::string out;
  for (std::string_view rest = stack; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view frame = rest.substr(0, end);
    frame.remove_prefix(std::min(frame.find_first_not_of(' '), frame.size()));
    out += "\n    " + std::string(frame);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

std::string ids_text(const LogRecord& record) {
  std::string out;
  if (record.request != 0) out += "  request " + std::to_string(record.request);
  if (record.connection != 0) out += "  connection " + std::to_string(record.connection);
  return out;
}

const char* colour_of(const std::string& agent) {
  return kAgentColours[std::hash<std::string>{}(agent) % kAgentColours.size()];
}

// What user code said: the agent's column, a mark, the text.
std::string console_text(const LogRecord& record, const PrettyOptions& options) {
  std::string label = agent_label(record);
  if (label.empty() && record.host != 0) label = "(host " + std::to_string(record.host) + ")";
  if (label.empty()) label = record.source == LogSource::kOutput ? "(output)" : "(worker)";
  std::string column = visible(label, false);
  if (column.size() < options.agent_width) column.resize(options.agent_width, ' ');
  std::string message = visible(record.message, options.colour);
  if (record.cut > 0) message += "… (" + std::to_string(record.cut) + " more)";
  if (record.level == Level::kError) message = painted(options.colour, "31", message);
  constexpr std::size_t kIndent = 4;
  return painted(options.colour, colour_of(label), column) +
         painted(options.colour, "2", " \u203a ") + indented(message, kIndent);
}

// What hearth says.
std::string report_text(const LogRecord& record, const PrettyOptions& options) {
  std::string out;
  if (!record.reference.empty()) out += "[" + record.reference + "] ";
  if (!record.code.empty()) out += painted(options.colour, "1", record.code) + " ";
  const std::string label = visible(agent_label(record), false);
  const bool named = label.empty() || record.message.find(label) != std::string::npos;
  if (!named) out += painted(options.colour, colour_of(label), label) + ": ";
  // An event is told by its name; of a fault the code says more than the handler.
  if (!record.what.empty() && record.code.empty()) {
    out += painted(options.colour, "2", record.what + (record.message.empty() ? "" : ": "));
  }
  out += indented(visible(record.message, options.colour), 2);
  if (record.cut > 0) out += "… (" + std::to_string(record.cut) + " more)";
  if (!record.where.empty()) out += " (" + visible(record.where, false) + ")";
  if (!record.what.empty() && !record.code.empty()) {
    out += painted(options.colour, "2", "  " + record.what);
  }
  return out;
}

// The fields that a host's JSON and the log's own have alike.
void take_fields(LogRecord& record, const Json& json) {
  record.message = text_at(json, "message");
  record.code = text_at(json, "code");
  record.class_name = text_at(json, "class");
  record.agent = text_at(json, "agent");
  record.what = text_at(json, "what");
  record.where = text_at(json, "where");
  record.fix = text_at(json, "fix");
  record.stack = text_at(json, "stack");
  record.reference = text_at(json, "reference");
  record.request = number_at(json, "request");
  record.connection = number_at(json, "connection");
  record.cut = number_at(json, "cut");
  record.dropped = number_at(json, "dropped");
  record.host = number_at(json, "host");
  record.partial = json.contains("partial");
  record.continued = json.contains("continued");
}

}  // namespace

std::string_view to_string(Level level) {
  return kLevels[static_cast<std::size_t>(level)];
}

std::string_view to_string(LogSource source) {
  constexpr std::array<std::string_view, 4> kNames{"hearth", "runtime", "console", "output"};
  return kNames[static_cast<std::size_t>(source)];
}

std::optional<Level> level_named(std::string_view name) {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] == name) return static_cast<Level>(i);
  }
  return std::nullopt;
}

LogRecord record_of(const core::Line& line, std::int64_t wall_ms) {
  LogRecord record{.level = line.level, .wall_ms = wall_ms, .message = std::string(line.message)};
  record.code = line.code;
  const std::size_t slash = line.agent.find('/');
  record.class_name = line.agent.substr(0, slash);
  if (slash != std::string_view::npos) record.agent = line.agent.substr(slash + 1);
  record.where = line.where;
  record.fix = line.fix;
  record.stack = line.stack;
  record.reference = line.reference;
  record.what = line.what;
  record.request = line.request;
  record.connection = line.connection;
  return record;
}

LogRecord record_of(Level level, std::string_view json, std::int64_t wall_ms) {
  LogRecord record{.level = level, .source = LogSource::kHost, .wall_ms = wall_ms, .message = {}};
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) {
    record.message = json;
    return record;
  }
  take_fields(record, parsed);
  const std::string source = text_at(parsed, "source");
  if (source == "console") record.source = LogSource::kConsole;
  if (source == "output") record.source = LogSource::kOutput;
  if (const std::uint64_t said_ms = number_at(parsed, "time")) {
    record.wall_ms = static_cast<std::int64_t>(said_ms);
  }
  return record;
}

std::optional<LogRecord> record_of_json(std::string_view line) {
  const Json parsed = Json::parse(line, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  LogRecord record{.message = {}};
  take_fields(record, parsed);
  record.level = level_named(text_at(parsed, "level")).value_or(Level::kInfo);
  record.wall_ms = time_of(text_at(parsed, "time"));
  const std::string source = text_at(parsed, "source");
  for (const LogSource each :
       {LogSource::kCore, LogSource::kHost, LogSource::kConsole, LogSource::kOutput}) {
    if (to_string(each) == source) record.source = each;
  }
  return record;
}

std::string agent_label(const LogRecord& record) {
  if (record.class_name.empty() || record.agent.empty()) return record.class_name + record.agent;
  return record.class_name + "/" + record.agent;
}

std::string pretty_text(const LogRecord& record, const PrettyOptions& options) {
  const auto level = static_cast<std::size_t>(record.level);
  std::string name(kLevels[level]);
  name.resize(5, ' ');
  std::string out = painted(options.colour, "2", clock_text(record.wall_ms)) + " " +
                    painted(options.colour, kLevelColours[level], name) + " ";
  const bool own = record.source == LogSource::kCore || record.source == LogSource::kHost;
  out += own ? report_text(record, options) : console_text(record, options);
  const std::string ids = ids_text(record);
  if (!ids.empty()) out += painted(options.colour, "2", ids);
  if (!record.fix.empty()) out += "\n  " + indented(visible(record.fix, options.colour), 2);
  if (!record.stack.empty()) out += painted(options.colour, "2", visible(frames_of(record), false));
  return out + "\n";
}

std::string json_text(const LogRecord& record) {
  Json json;
  json["time"] = time_text_ms(record.wall_ms);
  json["level"] = to_string(record.level);
  json["source"] = to_string(record.source);
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  const auto number = [&](const char* key, std::uint64_t value) {
    if (value != 0) json[key] = value;
  };
  text("code", record.code);
  text("class", record.class_name);
  text("agent", record.agent);
  number("request", record.request);
  number("connection", record.connection);
  json["message"] = record.message;
  text("what", record.what);
  text("where", record.where);
  text("fix", record.fix);
  text("stack", record.stack);
  text("reference", record.reference);
  number("cut", record.cut);
  number("dropped", record.dropped);
  number("host", record.host);
  if (record.partial) json["partial"] = true;
  if (record.continued) json["continued"] = true;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hearth::log
