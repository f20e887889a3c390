#include "os/descriptor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace hearth::os {

void Descriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

Error system_error(const char* what) {
  return Error{ErrorCode::kIo, std::string(what) + ": " + std::strerror(errno)};
}

Result<std::pair<Descriptor, Descriptor>> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return system_error("socketpair");
  }
  Descriptor ours(ends[0]);
  Descriptor theirs(ends[1]);
  if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return system_error("fcntl");
  // Room for a whole batch of a turn; the system caps it without an error.
  const int bytes = 1024 * 1024;
  for (const int end : ends) {
    ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    ::setsockopt(end, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  return std::pair(std::move(ours), std::move(theirs));
}

Result<std::pair<Descriptor, Descriptor>> pipe_ends() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe2");
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

Result<Descriptor> lock_file(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return system_error(("open " + path.string()).c_str());
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error(("lock " + path.string()).c_str());
    char holder[32] = {};
    const ssize_t size = ::pread(file.get(), holder, sizeof holder - 1, 0);
    return Error{ErrorCode::kConflict, size > 0
                                           ? std::string(holder, static_cast<std::size_t>(size))
                                           : std::string("unknown")};
  }
  const std::string own = std::to_string(::getpid());
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), own.data(), own.size(), 0) < 0) {
    return system_error(("write " + path.string()).c_str());
  }
  return file;
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = raised.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
  }
  return limit.rlim_cur;
}

}  // namespace hearth::os
