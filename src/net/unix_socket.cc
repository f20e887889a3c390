#include "net/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace hearth::net {

namespace {

constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;

// A socket's address, for as long as this lives.
class Address {
 public:
  explicit Address(const std::filesystem::path& path) {
    address_.sun_family = AF_UNIX;
    std::string text = path.string();
    if (text.size() >= sizeof address_.sun_path) {
      folder_ = ::open(path.parent_path().c_str(), kFolderFlags);
      text = "/proc/self/fd/" + std::to_string(folder_) + "/" + path.filename().string();
    }
    fits_ = text.size() < sizeof address_.sun_path;
    if (fits_) std::memcpy(address_.sun_path, text.c_str(), text.size() + 1);
  }
  ~Address() {
    if (folder_ >= 0) ::close(folder_);
  }
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;

  bool fits() const { return fits_; }
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
  int folder_ = -1;
  bool fits_ = false;
};

Error failure(ErrorCode code, const char* what, const std::filesystem::path& path) {
  return {code, std::string(what) + " " + path.string() + ": " + std::strerror(errno)};
}

Error name_too_long(const std::filesystem::path& path) {
  return {ErrorCode::kInvalid,
          path.string() + ": this file name is too long for a Unix socket (107 bytes)"};
}

// Whether the path is free now: there was nothing, or a socket whose owner is gone.
Status clear_away(const std::filesystem::path& path) {
  struct stat seen {};
  if (::lstat(path.c_str(), &seen) != 0) return {};
  if (!S_ISSOCK(seen.st_mode)) {
    return Error{ErrorCode::kConflict, path.string() + " is there and is no socket"};
  }
  auto other = connect_unix(path);
  if (other) {
    ::close(*other);
    return Error{ErrorCode::kConflict, path.string() + ": another process listens there"};
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return failure(ErrorCode::kIo, "replacing", path);
  }
  return {};
}

}  // namespace

Status UnixListener::open(const std::filesystem::path& path, int backlog) {
  ASSERT(fd_ < 0, "a listener opens once");
  if (Status status = clear_away(path); !status) return status;
  const Address address(path);
  if (!address.fits()) return name_too_long(path);
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  // The mode is set before there is a file, which is made with it.
  struct stat made {};
  if (fd_ < 0 || ::fchmod(fd_, S_IRUSR | S_IWUSR) != 0 ||
      ::bind(fd_, address.data(), address.size()) != 0 || ::lstat(path.c_str(), &made) != 0 ||
      ::listen(fd_, backlog) != 0) {
    const Error error = failure(ErrorCode::kIo, "listening on", path);
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    return error;
  }
  path_ = path;
  device_ = made.st_dev;
  inode_ = made.st_ino;
  return {};
}

void UnixListener::close() {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  struct stat seen {};
  if (::lstat(path_.c_str(), &seen) == 0 && seen.st_dev == device_ && seen.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

Result<int> connect_unix(const std::filesystem::path& path) {
  const Address address(path);
  if (!address.fits()) return name_too_long(path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, address.data(), address.size()) == 0) return fd;
  const bool nobody = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR;
  const Error error =
      failure(nobody ? ErrorCode::kNotFound : ErrorCode::kIo, "connecting to", path);
  if (fd >= 0) ::close(fd);
  return error;
}

}  // namespace hearth::net
