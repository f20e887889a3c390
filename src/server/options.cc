#include "server/options.h"

#include <CLI/CLI.hpp>

#include "admin/guard.h"
#include "server/usage.h"

namespace hearth::server {

namespace {

constexpr std::uint16_t kInspectPort = 9229;

struct Raw {
  Options options;
  std::vector<std::string> configs;
  std::vector<std::string> vars;
  std::string inspect;
  std::vector<std::string> origins;
  std::string log_format;
  std::string log_level;
};

void add_log_options(CLI::App& command, Raw& raw) {
  log::LogFileOptions& file = raw.options.log.file;
  command
      .add_option("--log-format", raw.log_format,
                  "pretty: for people; json: one object a line (default: pretty on a terminal)")
      ->envname("HEARTH_LOG_FORMAT")
      ->check(CLI::IsMember({"pretty", "json"}));
  command
      .add_option("--log-level", raw.log_level,
                  "the least that is logged: debug, info, warn, error, or none (default: info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "none"}));
  command.add_option("--log-file", file.path, "also log to this file, as JSON lines");
  command
      .add_option("--log-file-size", file.bytes_max,
                  "the size at which the file is put aside as FILE.1, FILE.2, … (default: 10MB)")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::size_t{4 * 1024}, std::size_t{1} << 40));
  command
      .add_option("--log-files", file.files_max, "how many files put aside are kept (default: 5)")
      ->check(CLI::Range(1, 1'000));
}

void set_log_options(Options& options, const Raw& raw) {
  if (!raw.log_format.empty()) {
    options.log.format = raw.log_format == "json" ? log::LogFormat::kJson : log::LogFormat::kPretty;
  }
  if (!raw.log_level.empty()) options.log.level = log::level_named(raw.log_level);
}

// What says which project is meant, and how it is read.
void add_project_options(CLI::App& command, Raw& raw) {
  Options& options = raw.options;
  command
      .add_option("-c,--config", raw.configs,
                  "wrangler.jsonc, .json or .toml (default: found from the current folder up); "
                  "given again: another worker, for the first one's bindings")
      ->expected(1)
      ->take_all();
  command.add_option("--env", options.environment, "the environment of the configuration to use");
  command.add_option("--state", options.state,
                     "where agents are kept (default: .hearth beside the configuration)");
  command.add_option("--var", raw.vars, "KEY:VALUE, a variable for env (may be repeated)")
      ->expected(1)
      ->take_all()
      ->check([](const std::string& text) {
        return text.find(':') == std::string::npos || text[0] == ':'
                   ? "\"" + text + "\" is not KEY:VALUE"
                   : std::string();
      });
  command.add_option("--node", options.node, "the Node.js to run hosts with")
      ->check(CLI::ExistingFile);
}

void add_doctor_options(CLI::App& command, Raw& raw) {
  command.add_flag("--json", raw.options.json, "print the findings as JSON");
  CLI::Option* url = command.add_option(
      "--url", raw.options.url, "look at a running server from outside as well, such as https://…");
  command
      .add_option("--idle", raw.options.idle_s,
                  "with --url: hold a WebSocket for so many seconds without a message")
      ->check(CLI::Range(0, 3'600))
      ->needs(url);
  command
      .add_option("--origin", raw.options.origin,
                  "with --url: the origin of a page that is meant to reach the agents")
      ->needs(url);
  command.add_flag("--fix", raw.options.fix, "apply the edits that are safe, and show them");
}

void add_admin_options(CLI::App& command, Options& options) {
  command
      .add_option("--host-memory", options.host_memory_mb,
                  "MB of memory that a host may hold: near it another takes its place, past it it "
                  "is ended; 0: any amount (default)")
      ->check(CLI::Range(0, 1'048'576));
  command
      .add_option("--host-cpu", options.host_cpu_percent,
                  "percent of one core that a host may use, such as 50 or 150; past it, it is "
                  "stopped for the rest of each tenth of a second; 0: all there is (default)")
      ->check(CLI::Range(0, 100'000));
  command
      .add_option("--admin", options.admin,
                  "[IP:]PORT: serve the admin interface there too (default: only on the Unix "
                  "socket admin.sock of the state directory)")
      ->check([](const std::string& text) {
        const auto endpoint = admin::parse_endpoint(text);
        return endpoint ? std::string() : endpoint.error().message;
      });
  command
      .add_option("--admin-token", options.admin_token,
                  "what --admin asks for; needed for other than loopback addresses")
      ->envname("HEARTH_ADMIN_TOKEN");
}

void add_upgrade_options(CLI::App& command, Raw& raw) {
  command
      .add_option("--binary", raw.options.binary,
                  "the hearth to go on with (default: the file that the running one was)")
      ->check(CLI::ExistingFile);
  command
      .add_option("--wait", raw.options.wait_s,
                  "seconds that requests and messages in hand may take to end before they are cut "
                  "(default: 30)")
      ->check(CLI::Range(0, 3'600));
}

void add_options(CLI::App& command, Raw& raw) {
  Options& options = raw.options;
  command.add_option("-p,--port", options.port, "the port to listen on; 0: any (default: 8787)")
      ->check(CLI::Range(0, 65'535));
  command.add_option("--ip", options.ip, "the address to listen on (default: 127.0.0.1)");
  command.add_option("--hosts", options.hosts, "how many processes run the code (default: 1)")
      ->check(CLI::Range(1, 64));
  command
      .add_option("--allow-origin", raw.origins,
                  "an origin whose pages may ask, such as https://app.example.com; may be repeated "
                  "(default: this machine's in dev, every one in serve)")
      ->expected(1)
      ->take_all()
      ->type_name("ORIGIN");
  command.add_option("--inspect", raw.inspect, "open Node's inspector in the host (default: 9229)")
      ->expected(0, 1)
      ->default_str(std::to_string(kInspectPort))
      ->type_name("PORT");
  command
      .add_option("--durability", options.durability,
                  "fsync: what is acknowledged survives a power cut; os: a crash of the process")
      ->check(CLI::IsMember({"fsync", "os"}));
  command
      .add_option("--history", options.history_days,
                  "days that agents can be brought back to any point of; 0: none (default: 30)")
      ->check(CLI::Range(0, 3'650));
  command
      .add_option("--max-body", options.body_bytes_max, "the largest request body, such as 100MB")
      ->transform(CLI::AsSizeValue(false));
  command
      .add_option("--ping", options.ping_s,
                  "seconds after which an idle WebSocket is pinged, and after as many closed; 0: "
                  "never (default: 30)")
      ->check(CLI::Range(0, 86'400));
  command
      .add_option("--hang-timeout", options.hang_timeout_s,
                  "seconds that code may block its event loop before its host is ended; 0: for "
                  "ever (default: 5 in dev, 30 in serve)")
      ->check(CLI::Range(0, 86'400));
  command
      .add_option("--request-timeout", options.request_timeout_s,
                  "seconds that a handler has until its response begins; then the client gets 504; "
                  "0: for ever (default: 100)")
      ->check(CLI::Range(0, 86'400));
  command
      .add_option("--give-up", options.give_up_s,
                  "seconds after which an agent that fails in one way every time tells its clients "
                  "not to try again; 0: never (default: 60)")
      ->check(CLI::Range(0, 86'400));
  command
      .add_option("--yes-delete", options.yes_delete,
                  "CLASS, whose agents a migration may delete (may be repeated)")
      ->type_name("CLASS");
  command
      .add_option("--quarantine", options.quarantine_deaths,
                  "how many hosts in a minute an agent may end before it may not run; 0: any "
                  "number (default: 3)")
      ->check(CLI::Range(0, 1'000));
}

}  // namespace

std::string_view version() {
  return HEARTH_VERSION;
}

Parsed parse_command_line(int argc, const char* const* argv) {
  CLI::App app{"hearth: a home of your own for stateful agents"};
  app.name("hearth");
  app.require_subcommand(1);
  app.footer("hearth help COMMAND shows what one of them takes. New here? hearth init my-agents");
  Raw raw;
  CLI::App* dev = app.add_subcommand("dev", "serve a project, rebuilding and reloading on change");
  CLI::App* serve = app.add_subcommand("serve", "serve a project in production");
  app.add_subcommand("deploy", "build a project, and let a running hearth serve it");
  app.add_subcommand("versions", "the versions of the code that a server keeps");
  app.add_subcommand("rollback", "serve a version again that was served before");
  app.add_subcommand("agents", "which agents there are, and what became of them");
  app.add_subcommand("tail", "follow the log of a running hearth");
  app.add_subcommand("state", "look at and move what is kept");
  app.add_subcommand("init", "make a project that works, in an empty folder");
  app.add_subcommand("check", "run the project's TypeScript compiler");
  app.add_subcommand("types", "write the types of env");
  CLI::App* version_command = app.add_subcommand("version", "print the version");
  CLI::App* doctor = app.add_subcommand("doctor", "look for what is wrong, without serving");
  CLI::App* explain = app.add_subcommand("explain", "print what a diagnostic code means");
  CLI::App* upgrade = app.add_subcommand(
      "upgrade", "put another hearth in the place of the running one; no client notices");
  for (CLI::App* command : {dev, serve, doctor, upgrade}) add_project_options(*command, raw);
  add_upgrade_options(*upgrade, raw);
  for (CLI::App* command : {dev, serve}) {
    add_options(*command, raw);
    add_admin_options(*command, raw.options);
  }
  for (CLI::App* command : {dev, serve}) add_log_options(*command, raw);
  add_doctor_options(*doctor, raw);
  explain->add_option("CODE", raw.options.code, "such as C107")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, tell_usage(app, error)};
  }
  Options& options = raw.options;
  set_log_options(options, raw);
  options.command = version_command->parsed() ? Command::kVersion
                    : serve->parsed()         ? Command::kServe
                    : doctor->parsed()        ? Command::kDoctor
                    : explain->parsed()       ? Command::kExplain
                    : upgrade->parsed()       ? Command::kUpgrade
                                              : Command::kDev;
  if (!raw.configs.empty()) {
    options.config = raw.configs.front();
    options.others.assign(raw.configs.begin() + 1, raw.configs.end());
  }
  for (const std::string& var : raw.vars) {
    const std::size_t colon = var.find(':');
    options.vars.emplace_back(var.substr(0, colon), var.substr(colon + 1));
  }
  if (options.command == Command::kDev) options.origins = core::Origins::local();
  for (const std::string& origin : raw.origins) {
    if (const Status allowed = options.origins.allow(origin); !allowed) {
      std::fprintf(stderr, "hearth: --allow-origin: %s\n", allowed.error().message.c_str());
      return {std::nullopt, 2};
    }
  }
  options.command_line.assign(argv, argv + argc);
  const bool inspected = dev->count("--inspect") + serve->count("--inspect") > 0;
  if (inspected) {
    unsigned long port = kInspectPort;
    if (!raw.inspect.empty()) {
      char* end = nullptr;
      port = std::strtoul(raw.inspect.c_str(), &end, 10);
      if (*end != '\0' || port == 0 || port > 65535) {
        std::fprintf(stderr, "--inspect: \"%s\" is no port\n", raw.inspect.c_str());
        return {std::nullopt, 2};
      }
    }
    options.inspect = static_cast<std::uint16_t>(port);
  }
  return {std::move(options), 0};
}

}  // namespace hearth::server
