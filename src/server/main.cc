#include <cstdio>

#include "server/app.h"

int main(int argc, char** argv) {
  using namespace hearth::server;
  Parsed parsed = parse_command_line(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  if (parsed.options->command == Command::kVersion) {
    std::printf("hearth %s\n", std::string(version()).c_str());
    return 0;
  }
  App app(std::move(*parsed.options));
  return app.run();
}
