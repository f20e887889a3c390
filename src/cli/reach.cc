#include "cli/reach.h"

#include <cstdio>
#include <cstdlib>

#include "project/project.h"

namespace hearth::cli {

void add_where_options(CLI::App& command, Where& where, Reach reach) {
  command.add_option("--state", where.state,
                     "the state directory (default: .hearth beside the configuration)");
  command.add_option("-c,--config", where.config, "the project whose state is meant");
  command.add_option("--env", where.environment, "the environment of the configuration to use");
  if (reach == Reach::kThisMachine) return;
  command.add_option("--to", where.url,
                     "the admin address of a running hearth, such as http://127.0.0.1:8788");
  command.add_option("--token", where.token, "its admin token (default: $HEARTH_ADMIN_TOKEN)")
      ->envname("HEARTH_ADMIN_TOKEN");
}

Result<std::filesystem::path> state_folder(const Where& where) {
  if (!where.state.empty()) return std::filesystem::absolute(where.state).lexically_normal();
  project::LoadOptions options;
  options.config = where.config;
  options.environment = where.environment;
  auto loaded = project::load(options);
  if (loaded) return (loaded->root / ".hearth").lexically_normal();
  return Error{loaded.error().code,
               loaded.error().message + "\n  or name the state directory with --state DIR"};
}

Result<admin::Client> reach(const Where& where) {
  if (!where.url.empty()) return admin::Client::of_url(where.url, where.token);
  const auto state = state_folder(where);
  if (!state) return state.error();
  return admin::Client::of_state(*state);
}

int complain(std::string_view command, const Error& error) {
  std::fprintf(stderr, "hearth %.*s: %s\n", static_cast<int>(command.size()), command.data(),
               error.message.c_str());
  return 1;
}

}  // namespace hearth::cli
