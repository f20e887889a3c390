// The log: what the core says and what hosts log, one line each on standard error, coloured on a
// terminal. A stack follows its line, indented. Loop thread.
#pragma once

#include <memory>

#include "core/report.h"

namespace spdlog {
class logger;
}

namespace hearth::server {

class Console final : public core::Report {
 public:
  Console();
  ~Console() override;
  void say(core::Level level, std::string_view message) override;
  void host_log(core::Level level, std::string_view json) override;

 private:
  std::shared_ptr<spdlog::logger> logger_;  // shared as spdlog hands it out
};

// The text of a host's log line, from its JSON.
std::string log_line(std::string_view json);

}  // namespace hearth::server
