// The command line: what the user asked for, checked, with the defaults filled in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "core/origins.h"
#include "log/console.h"

namespace hearth::server {

enum class Command { kDev, kServe, kDoctor, kExplain, kUpgrade, kVersion };

struct Options {
  Command command = Command::kDev;
  std::filesystem::path config;               // empty: looked for from the current folder upwards
  std::vector<std::filesystem::path> others;  // configurations of further workers
  bool first = true;  // doctor: the worker at hand is the one that gets the requests
  std::string environment;
  std::optional<std::uint16_t> port;
  std::string ip;
  std::filesystem::path state;  // empty: .hearth beside the configuration
  unsigned hosts = 1;
  std::vector<std::pair<std::string, std::string>> vars;
  core::Origins origins;  // whose pages may ask; in dev this machine's, in serve every page
  std::optional<std::uint16_t> inspect;
  std::filesystem::path node;  // empty: the one that came with hearth
  std::string durability = "fsync";
  std::size_t body_bytes_max = kRequestBodyBytesMax;
  unsigned history_days = 30;                     // of each agent, to recover from; 0: none
  bool json = false;                              // doctor: the findings as JSON
  std::string url;                                // doctor: a running server to look at; for it:
  std::uint32_t idle_s = 0;                       // how long a socket is held
  std::string origin;                             // of a page that is meant to reach it
  bool fix = false;                               // doctor: apply the safe edits
  std::string code;                               // explain
  std::uint32_t ping_s = kPingIntervalMs / 1000;  // 0: idle WebSockets are not pinged
  // A host whose event loop is blocked for so long is ended; 0: never. Absent: 5 in dev, else 30.
  std::optional<std::uint32_t> hang_timeout_s;
  log::LogOptions log;
  std::vector<std::string> yes_delete;  // classes whose agents a migration may delete
  unsigned request_timeout_s = 100;     // until a response begins; 0: for ever
  unsigned give_up_s = 60;              // of an agent that always fails alike; 0: never
  unsigned quarantine_deaths = 3;       // of hosts in a minute; 0: no agent is quarantined

  unsigned host_memory_mb = 0;    // that a host may hold; 0: any amount
  unsigned host_cpu_percent = 0;  // of one core that a host may use; 0: all there is
  std::string admin;        // [IP:]PORT of the admin interface beside its Unix socket; empty: none
  std::string admin_token;  // asked for there; empty: none
  std::filesystem::path binary;  // upgrade: the program to go on with; empty: as the server's was
  std::uint32_t wait_s = 30;     // upgrade: for what is being answered
  std::vector<std::string> command_line;  // as given, with the program's name
};

// Either options to go on with, or an exit code: the help or the complaint is printed already.
struct Parsed {
  std::optional<Options> options;
  int exit_code = 0;
};
Parsed parse_command_line(int argc, const char* const* argv);

std::string_view version();

}  // namespace hearth::server
