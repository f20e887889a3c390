// Where the core says what happens: the server prints it, tests read it. Loop thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::core {

enum class Level : std::uint8_t { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };

// One line in its parts, for those who filter and count. What is empty or 0 is not known.
struct Line {
  Level level = Level::kInfo;
  std::string_view message{};
  std::string_view code{};   // of the catalogue
  std::string_view agent{};  // as Engine::label says it, "Room/lobby"
  std::string_view what{};   // the handler, or the event: "connected", "closed", "woke"
  std::string_view where{};  // file:line:column
  std::string_view fix{};
  std::string_view stack{};
  std::string_view reference{};  // what the client was told to look for
  std::uint64_t request = 0;
  std::uint64_t connection = 0;
};

// The line as one text, for whoever has no use for the parts. The agent comes first, unless the
// message names it.
std::string text_of(const Line& line);

class Report {
 public:
  virtual ~Report() = default;
  // Whether a line of this level would be seen by anyone: for lines that cost something to make.
  virtual bool wants(Level level) const { return level > Level::kDebug; }
  // The core's own words.
  virtual void say(Level level, std::string_view message) = 0;
  virtual void tell(const Line& line) { say(line.level, text_of(line)); }
  // A Log frame of a host, as its JSON (messages.def).
  virtual void host_log(Level level, std::string_view json) = 0;
  // Takes out of a text that goes elsewhere what must not be seen there either.
  virtual void redact(std::string&) const {}
};

}  // namespace hearth::core
