#include "cli/upgrade_command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "os/descriptor.h"
#include "os/files.h"
#include "project/project.h"
#include "server/upgrade_status.h"

namespace hearth::cli {

namespace {

namespace fs = std::filesystem;
constexpr auto kLook = std::chrono::milliseconds(20);
// Beyond what the server itself allows.
constexpr std::uint32_t kSlackS = 180;

int complain(const std::string& message) {
  std::fprintf(stderr, "hearth upgrade: %s\n", message.c_str());
  return 1;
}

Result<fs::path> state_of(const server::Options& options) {
  if (!options.state.empty()) return fs::absolute(options.state).lexically_normal();
  project::LoadOptions load;
  load.config = options.config;
  load.environment = options.environment;
  const auto loaded = project::load(load);
  if (loaded) return (loaded->root / ".hearth").lexically_normal();
  return Error{loaded.error().code,
               loaded.error().message + "\n  or name the state directory with --state DIR"};
}

// The process that holds the state directory's lock; 0: none does.
int holder_of(const fs::path& state) {
  const os::Descriptor file(::open((state / "lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return 0;
  const auto text = os::read_file(state / "lock");
  return text ? std::atoi(text->c_str()) : 0;
}

// The number may be stale, or of another container's.
bool holds(int process, const fs::path& file) {
  std::error_code error;
  const fs::path wanted = fs::canonical(file, error);
  for (const auto& each :
       fs::directory_iterator("/proc/" + std::to_string(process) + "/fd", error)) {
    std::error_code ignored;
    if (fs::read_symlink(each.path(), ignored) == wanted) return true;
  }
  return false;
}

// The signal would end a program that does not wait for it.
bool catches_signal(int process, int signal) {
  std::ifstream in("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("SigCgt:")) continue;
    const unsigned long long caught = std::strtoull(line.c_str() + 7, nullptr, 16);
    return (caught >> (signal - 1) & 1) != 0;
  }
  return false;
}

}  // namespace

int upgrade_command(const server::Options& options) {
  const auto state = state_of(options);
  if (!state) return complain(state.error().message);
  const int server = holder_of(*state);
  if (server <= 0) return complain("no hearth runs on " + state->string());
  if (!holds(server, *state / "lock")) {
    return complain("the hearth on " + state->string() +
                    " is another container's or user's: ask there");
  }
  if (!catches_signal(server, SIGUSR2)) {
    return complain("process " + std::to_string(server) + " holds " + state->string() +
                    " and is no server that can be upgraded");
  }
  server::UpgradeRequest request;
  request.id = std::to_string(::getpid()) + "-" +
               std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
  if (!options.binary.empty()) request.binary = fs::absolute(options.binary);
  request.wait_s = options.wait_s;
  server::write_request(*state, request);
  if (::kill(server, SIGUSR2) != 0) return complain(os::system_error("kill").message);

  const auto until =
      std::chrono::steady_clock::now() + std::chrono::seconds(options.wait_s + kSlackS);
  std::string phase;
  while (std::chrono::steady_clock::now() < until) {
    const auto status = server::read_status(*state);
    if (status && status->id == request.id && status->phase != phase) {
      phase = status->phase;
      if (phase == "failed") return complain(status->message);
      std::printf("%s\n", status->message.c_str());
      std::fflush(stdout);
      if (phase == "done") return 0;
    }
    // What the server did last, it wrote before it let go.
    if (phase.empty() && ::kill(server, 0) != 0) return complain("the server ended");
    std::this_thread::sleep_for(kLook);
  }
  return complain("nothing more is heard of the upgrade");
}

}  // namespace hearth::cli
