// The log: everything that the core, its hosts and user code say becomes a LogRecord, loses the
// project's secrets, and goes to standard error (for people on a terminal, as JSON lines
// elsewhere), to the log file, and to whoever listens (`hearth tail`). Loop thread; the writing is
// LogWriter's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/report.h"
#include "log/record.h"
#include "log/redactor.h"
#include "log/writer.h"

namespace hearth::log {

enum class LogFormat : std::uint8_t { kPretty, kJson };

struct LogOptions {
  std::optional<LogFormat> format;  // absent: pretty on a terminal, else JSON
  // What is written; absent: nothing. Listeners choose for themselves.
  std::optional<core::Level> level = core::Level::kInfo;
  LogFileOptions file;
};

class LogListener {
 public:
  virtual ~LogListener() = default;
  // A line of any level, without secrets.
  virtual void on_record(const LogRecord& record) = 0;
};

class Console final : public core::Report {
 public:
  explicit Console(LogOptions options = {});
  ~Console() override;

  // kIo when there is to be a file and it cannot be opened.
  Status open_file();
  // What must not be seen in any line from now on.
  void hide(const std::vector<Secret>& secrets) { redactor_.add(secrets); }
  const Redactor& redactor() const { return redactor_; }

  bool wants(core::Level level) const override;
  void say(core::Level level, std::string_view message) override;
  void tell(const core::Line& line) override;
  void host_log(core::Level level, std::string_view json) override;
  void redact(std::string& text) const override { redactor_.redact(text); }
  void write(LogRecord record);

  // A listener is not called after it has been removed.
  void add_listener(LogListener& listener);
  void remove_listener(LogListener& listener);
  // Waits for what has been said to be written: before an end that runs no destructors.
  void flush(std::uint32_t deadline_ms) { writer_.flush(deadline_ms); }

 private:
  std::string text_of(const LogRecord& record);

  const LogOptions options_;
  const LogFormat format_;
  PrettyOptions pretty_;
  Redactor redactor_;
  std::vector<LogListener*> listeners_;
  LogWriter writer_;
};

// The text of a host's log line, from its JSON.
std::string log_line(std::string_view json);

}  // namespace hearth::log
