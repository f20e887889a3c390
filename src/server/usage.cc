#include "server/usage.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "project/nearest.h"

namespace hearth::server {

namespace {

// What other tools call it; spelling alone does not lead there.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kOtherNames{{
    {"--host", "--ip"},
    {"--hostname", "--ip"},
    {"--bind", "--ip"},
    {"--address", "--ip"},
    {"--persist-to", "--state"},
    {"--dir", "--state"},
    {"--inspector-port", "--inspect"},
    {"--workers", "--hosts"},
    {"--environment", "--env"},
    {"--define", "--var"},
    {"publish", "deploy"},
    {"start", "serve"},
    {"run", "dev"},
    {"logs", "tail"},
    {"log", "tail"},
    {"new", "init"},
    {"create", "init"},
    {"typegen", "types"},
}};

// The subcommand that was reached, and how it is called.
const CLI::App& deepest(const CLI::App& app, std::string& called) {
  called = app.get_name();
  const CLI::App* at = &app;
  for (;;) {
    const std::vector<CLI::App*> parsed = at->get_subcommands();
    if (parsed.empty()) return *at;
    at = parsed.front();
    called += " " + at->get_name();
  }
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string meant(const std::string& given, const std::vector<std::string>& known) {
  std::optional<std::string> found = project::nearest(given, known);
  for (const auto& [other, ours] : kOtherNames) {
    if (other == given && std::find(known.begin(), known.end(), ours) != known.end()) found = ours;
  }
  return found ? "; did you mean " + *found + "?" : std::string();
}

bool is_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-';
}

// The first that is an option: what follows it may be its value.
std::string first_unknown(const CLI::App& app) {
  const std::vector<std::string> rest = app.remaining(true);
  const auto option = std::find_if(rest.begin(), rest.end(), is_option);
  if (option != rest.end()) return option->substr(0, option->find('='));
  return rest.empty() ? std::string() : rest.front();
}

std::string complaint(const CLI::App& app, const std::string& called, const std::string& unknown) {
  if (is_option(unknown)) {
    return called + " knows no option " + unknown + meant(unknown, options_of(app));
  }
  if (const std::vector<std::string> commands = commands_of(app); !commands.empty()) {
    return called + " knows no command \"" + unknown + "\"" + meant(unknown, commands);
  }
  std::error_code ignored;
  const bool takes_project = app.get_option_no_throw("--config") != nullptr;
  return called + " does not know what to do with \"" + unknown + "\"" +
         (takes_project && std::filesystem::exists(unknown, ignored)
              ? "; a project is named with -c " + unknown
              : std::string());
}

}  // namespace

int tell_usage(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::string called;
  const CLI::App& reached = deepest(app, called);
  std::string unknown = first_unknown(app);
  const bool needs_command = !commands_of(reached).empty();
  if (unknown.empty() && needs_command) {
    std::fputs(reached.help().c_str(), stderr);
    return kUsageExit;
  }
  const bool at_fault =
      !unknown.empty() &&
      (needs_command || error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError));
  const std::string what =
      at_fault ? complaint(reached, called, unknown) : called + ": " + error.what();
  std::fprintf(stderr, "%s\n%s --help lists what there is\n", what.c_str(), called.c_str());
  return kUsageExit;
}

}  // namespace hearth::server
