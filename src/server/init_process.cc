#include "server/init_process.h"

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>

#include "os/files.h"

namespace hearth::server {

namespace {
sigset_t passed_on() {
  sigset_t set;
  sigemptyset(&set);
  for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD}) {
    sigaddset(&set, each);
  }
  return set;
}

int server_of(const std::filesystem::path& state) {
  const auto text = os::read_file(state / "lock");
  return text ? std::atoi(text->c_str()) : 0;
}
}  // namespace

void prepare_to_stay() {
  const sigset_t set = passed_on();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

int stay_as_init(const std::filesystem::path& state) {
  const sigset_t set = passed_on();
  int code = 0;
  for (;;) {
    int status = 0;
    int ended;
    while ((ended = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (ended != server_of(state)) continue;
      code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (ended < 0 && errno == ECHILD) return code;
    siginfo_t info{};
    const int signal = ::sigwaitinfo(&set, &info);
    const int server = server_of(state);
    if (signal > 0 && signal != SIGCHLD && server > 1) ::kill(server, signal);
  }
}

}  // namespace hearth::server
