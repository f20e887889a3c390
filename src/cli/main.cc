#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "cli/agents_command.h"
#include "cli/check_command.h"
#include "cli/deploy_command.h"
#include "cli/doctor.h"
#include "cli/init_command.h"
#include "cli/state_command.h"
#include "cli/tail_command.h"
#include "cli/types_command.h"
#include "cli/upgrade_command.h"
#include "server/app.h"
#include "server/init_process.h"
#include "server/waiting_room.h"

namespace {

// `hearth help deploy` is `hearth deploy --help`, and what asks for the version in other tools'
// ways gets it too.
std::vector<char*> usual_words(int argc, char** argv) {
  static char help[] = "--help";
  static char version[] = "version";
  std::vector<char*> words(argv, argv + argc);
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "help") {
    words.erase(words.begin() + 1);
    words.push_back(help);
  } else if (first == "-v" || first == "-V" || first == "--version") {
    words[1] = version;
  }
  words.push_back(nullptr);
  return words;
}

}  // namespace

int main(int given, char** arguments) {
  using namespace hearth::cli;
  namespace server = hearth::server;
  std::vector<char*> words = usual_words(given, arguments);
  const int argc = static_cast<int>(words.size()) - 1;
  char** argv = words.data();
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "init") return init_command(argc - 1, argv + 1);
  if (command == "check") return check_command(argc - 1, argv + 1);
  if (command == "types") return types_command(argc - 1, argv + 1);
  if (command == "state") return state_command(argc - 1, argv + 1);
  if (command == "agents") return agents_command(argc - 1, argv + 1);
  if (command == "tail") return tail_command(argc - 1, argv + 1);
  if (command == "deploy") return deploy_command(argc - 1, argv + 1);
  if (command == "versions") return versions_command(argc - 1, argv + 1);
  if (command == "rollback") return rollback_command(argc - 1, argv + 1);
  server::Parsed parsed = server::parse_command_line(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  if (parsed.options->command == server::Command::kVersion) {
    std::printf("hearth %s\n", std::string(server::version()).c_str());
    return 0;
  }
  if (parsed.options->command == server::Command::kDoctor) return doctor(*parsed.options);
  if (parsed.options->command == server::Command::kExplain)
    return explain_code(parsed.options->code);
  if (parsed.options->command == server::Command::kUpgrade) return upgrade_command(*parsed.options);
  // A successor does not wait: the running one goes on if it cannot start.
  if (parsed.options->command == server::Command::kDev &&
      std::getenv(server::kHandoverVariable) == nullptr) {
    server::WaitingRoom room(*parsed.options);
    if (!room.wait()) return 0;
    if (room.port()) parsed.options->port = room.port();
  }
  std::filesystem::path state;
  int code;
  {
    server::App app(std::move(*parsed.options));
    code = app.run();
    if (app.handed_over() && ::getpid() == 1) state = app.state();
  }
  return state.empty() ? code : server::stay_as_init(state);
}
