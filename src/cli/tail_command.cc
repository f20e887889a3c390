#include "cli/tail_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>

#include "cli/reach.h"
#include "log/record.h"
#include "server/usage.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kAgentWidthMax = 32;

struct TailOptions {
  Where where;
  std::string agent;
  std::string level;
  std::string grep;
  std::string format;
  bool json = false;
};

class Printer {
 public:
  Printer(bool json, std::optional<std::regex> pattern)
      : json_(json), pattern_(std::move(pattern)) {
    pretty_.colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  }

  // False when nobody reads what is printed.
  bool print(std::string_view line) {
    if (line.empty()) return true;
    const std::optional<log::LogRecord> record = log::record_of_json(line);
    if (!record) return true;
    // What stands for lines that are missing is told whatever is looked for.
    if (pattern_ && record->dropped == 0 && !matches(*record)) return true;
    std::string text;
    if (json_) {
      text = std::string(line) + "\n";
    } else {
      const std::size_t width = std::min(log::agent_label(*record).size(), kAgentWidthMax);
      if (record->source == log::LogSource::kConsole || record->source == log::LogSource::kOutput) {
        pretty_.agent_width = std::max(pretty_.agent_width, width);
      }
      text = log::pretty_text(*record, pretty_);
    }
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
  }

 private:
  bool matches(const log::LogRecord& record) const {
    // Line by line: the matcher's depth grows with what it looks through.
    const std::string text =
        record.code + " " + log::agent_label(record) + " " + record.message + " " + record.where;
    return std::regex_search(text.substr(0, kMatchedBytesMax), *pattern_);
  }
  static constexpr std::size_t kMatchedBytesMax = 4 * 1024;

  const bool json_;
  const std::optional<std::regex> pattern_;
  log::PrettyOptions pretty_;
};

int follow(const TailOptions& options, Printer& printer) {
  auto client = reach(options.where);
  if (!client) return complain("tail", client.error());
  std::string target = "/_hearth/tail?level=" + (options.level.empty() ? "debug" : options.level);
  if (!options.agent.empty()) target += "&agent=" + admin::percent_encoded(options.agent);
  const Status ended =
      client->follow(target, [&](std::string_view line) { return printer.print(line); });
  return ended ? 0 : complain("tail", ended.error());
}

}  // namespace

int tail_command(int argc, const char* const* argv) {
  CLI::App app{"hearth tail: follow the log of a running hearth"};
  app.name("hearth tail");
  TailOptions options;
  add_where_options(app, options.where, Reach::kAnywhere);
  app.add_option("AGENT", options.agent,
                 "only lines of this agent: its name, its class, or Class/name");
  app.add_option("--level", options.level, "the least to show (default: debug, which is all)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_option("--grep", options.grep,
                 "only lines whose code, agent, message or place match this regular expression");
  app.add_option("--log-format", options.format, "pretty or json (default: pretty on a terminal)")
      ->envname("HEARTH_LOG_FORMAT")
      ->check(CLI::IsMember({"pretty", "json"}));
  app.add_flag("--json", options.json, "one JSON object a line");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return server::tell_usage(app, error);
  }
  std::optional<std::regex> pattern;
  try {
    if (!options.grep.empty()) pattern.emplace(options.grep, std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    std::fprintf(stderr, "hearth tail: --grep %s: %s\n", options.grep.c_str(), error.what());
    return 2;
  }
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const bool json =
      options.json || options.format == "json" || (options.format.empty() && !terminal);
  Printer printer(json, std::move(pattern));
  return follow(options, printer);
}

}  // namespace hearth::cli
