// Which hearth a command means: the state folder of a project, or the URL of an admin interface.
// Shared by the subcommands that look at a running server.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "admin/client.h"
#include "base/result.h"

namespace hearth::cli {

struct Where {
  std::filesystem::path state;   // empty: .hearth beside the configuration
  std::filesystem::path config;  // empty: looked for from the current folder upwards
  std::string environment;
  std::string url;    // --to; empty: by the state folder's socket
  std::string token;  // --token, or HEARTH_ADMIN_TOKEN
};

// --state, -c/--config, --env; and with `remote` --to and --token too.
enum class Reach { kThisMachine, kAnywhere };
void add_where_options(CLI::App& command, Where& where, Reach reach);

// The state folder that is meant; it need not exist.
Result<std::filesystem::path> state_folder(const Where& where);
// The running hearth that is meant. kNotFound: none serves that folder.
Result<admin::Client> reach(const Where& where);

// 1, after the error was told on standard error: "hearth agents: …".
int complain(std::string_view command, const Error& error);

}  // namespace hearth::cli
