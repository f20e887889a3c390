// Child processes by fork and exec: posix_spawn cannot tie a child's life to its parent's.
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "os/asio_world.h"

extern char** environ;

namespace hearth::os {

namespace asio = boost::asio;

std::string ExitStatus::describe() const {
  if (signal == 0) return "exit code " + std::to_string(code);
  const char* name = ::sigabbrev_np(signal);
  return "signal " + std::to_string(signal) + (name ? std::string(" (SIG") + name + ")" : "");
}

namespace {

constexpr std::size_t kInheritedMax = 8;

struct Watched {
  Watched(asio::io_context& context, int descriptor) : pidfd(context, descriptor) {}
  asio::posix::stream_descriptor pidfd;
  int pid = 0;
  bool reaped = false;
  std::function<void(ExitStatus)> on_exit;

  void reap(int options) {
    siginfo_t info{};
    if (reaped || ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | options) != 0) return;
    if (info.si_pid == 0) return;
    reaped = true;
    ExitStatus status;
    (info.si_code == CLD_EXITED ? status.code : status.signal) = info.si_status;
    boost::system::error_code ignored;
    pidfd.close(ignored);
    if (on_exit) std::exchange(on_exit, nullptr)(status);
  }
};

void watch(const std::shared_ptr<Watched>& watched) {
  watched->pidfd.async_wait(asio::posix::stream_descriptor::wait_read,
                            [watched](const boost::system::error_code& error) {
                              if (error) return;
                              watched->reap(WNOHANG);
                              if (!watched->reaped) watch(watched);
                            });
}

class SystemProcess final : public Process {
 public:
  explicit SystemProcess(std::shared_ptr<Watched> watched) : watched_(std::move(watched)) {}
  ~SystemProcess() override {
    watched_->on_exit = nullptr;
    if (released_) return;
    kill(SIGKILL);
    watched_->reap(0);  // it is dying: this waits for microseconds, and leaves no zombie
  }
  int pid() const override { return watched_->pid; }
  std::uint64_t resident_bytes() const override {
    if (watched_->reaped) return 0;
    std::uint64_t pages = 0;
    std::ifstream statm("/proc/" + std::to_string(watched_->pid) + "/statm");
    statm >> pages >> pages;  // all of it, then what is resident
    return statm ? pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
  }
  std::uint64_t cpu_ns() const override {
    clockid_t clock{};
    timespec used{};
    if (watched_->reaped || ::clock_getcpuclockid(watched_->pid, &clock) != 0) return 0;
    if (::clock_gettime(clock, &used) != 0) return 0;
    return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(used.tv_nsec);
  }
  // Only looked at, so that the next look finds it too; SIGCONT takes it back.
  bool stopped() const override {
    siginfo_t info{};
    return !watched_->reaped &&
           ::waitid(P_PID, static_cast<id_t>(watched_->pid), &info, WSTOPPED | WNOHANG | WNOWAIT) ==
               0 &&
           info.si_pid != 0;
  }
  std::uint64_t main_thread_cpu_ns() const override {
    if (watched_->reaped) return 0;
    const std::optional<Scheduled> scheduled = main_thread();
    return scheduled ? scheduled->used_ns : cpu_ns();
  }
  std::uint64_t main_thread_waited_ns() const override {
    const std::optional<Scheduled> scheduled = main_thread();
    return scheduled ? scheduled->waited_ns : 0;
  }
  void kill(int signal) override {
    if (!watched_->reaped) ::kill(watched_->pid, signal);
  }
  void release() override { released_ = true; }

 private:
  struct Scheduled {
    std::uint64_t used_ns = 0;
    std::uint64_t waited_ns = 0;
  };

  // "time on the CPU, time waiting, slices" of the thread that has the process's number; another
  // process may not ask that thread's clock.
  std::optional<Scheduled> main_thread() const {
    if (watched_->reaped) return std::nullopt;
    std::ifstream statistics("/proc/" + std::to_string(watched_->pid) + "/schedstat");
    Scheduled scheduled;
    if (statistics >> scheduled.used_ns >> scheduled.waited_ns) return scheduled;
    return std::nullopt;
  }

  bool released_ = false;
  std::shared_ptr<Watched> watched_;
};

// What the child needs, prepared before the fork: after it only async-signal-safe calls are made.
struct Image {
  std::vector<const char*> arguments;
  std::vector<const char*> environment;
  const ProcessOptions& options;
  int null = -1;

  explicit Image(const ProcessOptions& wanted) : options(wanted) {
    arguments.push_back(wanted.path.c_str());
    for (const std::string& argument : wanted.arguments) arguments.push_back(argument.c_str());
    arguments.push_back(nullptr);
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (!replaced(*entry)) environment.push_back(*entry);
    }
    for (const std::string& entry : wanted.environment) environment.push_back(entry.c_str());
    environment.push_back(nullptr);
  }

  bool replaced(std::string_view entry) const {
    const std::string_view key = entry.substr(0, entry.find('=') + 1);
    for (const std::string& own : options.environment) {
      if (std::string_view(own).starts_with(key)) return true;
    }
    return false;
  }
};

[[noreturn]] void become(const Image& image, int parent, int report) {
  if (!image.options.successor) {
    ::setpgid(0, 0);  // a Ctrl-C in the terminal is the parent's to handle
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  }
  if (::getppid() != parent) ::_exit(127);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);

  const ProcessOptions& options = image.options;
  // Moved out of the way first, so that no target is also a source: just past the targets, because
  // the limit of descriptors may be low.
  constexpr int kAside = 3 + static_cast<int>(kInheritedMax);
  int next = kAside;
  auto aside = [&](int descriptor) { return ::fcntl(descriptor, F_DUPFD_CLOEXEC, next++); };
  const int input = aside(options.input >= 0 ? options.input : image.null);
  const int output = options.output >= 0 ? aside(options.output) : -1;
  const int error = options.error >= 0 ? aside(options.error) : -1;
  int moved[kInheritedMax];
  const std::size_t count = options.inherited.size();
  for (std::size_t i = 0; i < count; ++i) moved[i] = aside(options.inherited[i]);
  const int failure = aside(report);
  ::dup2(input, 0);
  if (output >= 0) ::dup2(output, 1);
  if (error >= 0) ::dup2(error, 2);
  for (std::size_t i = 0; i < count; ++i) ::dup2(moved[i], static_cast<int>(3 + i));
  ::close_range(static_cast<unsigned>(3 + count), kAside - 1, 0);
  ::close_range(kAside, ~0U, CLOSE_RANGE_CLOEXEC);
  if (options.directory.empty() || ::chdir(options.directory.c_str()) == 0) {
    ::execve(options.path.c_str(), const_cast<char* const*>(image.arguments.data()),
             const_cast<char* const*>(image.environment.data()));
  }
  const int reason = errno;
  if (::write(failure, &reason, sizeof reason) < 0) ::_exit(126);
  ::_exit(127);
}

}  // namespace

Result<std::unique_ptr<Process>> SystemProcesses::spawn(const ProcessOptions& options,
                                                        std::function<void(ExitStatus)> on_exit) {
  ASSERT(options.inherited.size() <= kInheritedMax, "more descriptors than a child is given");
  Image image(options);
  const Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  image.null = null.get();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe2");
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);

  const int parent = ::getpid();
  const int pid = ::fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0) become(image, parent, writing.get());
  writing.reset();
  int reason = 0;
  // The pipe closes at exec; bytes in it are why there was none.
  if (::read(reading.get(), &reason, sizeof reason) == sizeof reason) {
    ::waitpid(pid, nullptr, 0);
    errno = reason;
    return system_error(("start " + options.path).c_str());
  }
  // By number: glibc 2.36 declares pidfd_open without C linkage.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    const Error error = system_error("pidfd_open");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  auto watched = std::make_shared<Watched>(context_, pidfd);
  watched->pid = pid;
  watched->on_exit = std::move(on_exit);
  watch(watched);
  return std::unique_ptr<Process>(std::make_unique<SystemProcess>(std::move(watched)));
}

}  // namespace hearth::os
