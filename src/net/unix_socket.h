// Unix stream sockets by path: one that listens, with a file of its own that goes with it, and a
// connection to one. Paths longer than the system's 107 bytes are reached through their folder.
// No thread of its own; the descriptors close on exec.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/result.h"

namespace hearth::net {

class UnixListener {
 public:
  UnixListener() = default;
  ~UnixListener() { close(); }
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  // Binds and listens, for this user alone (mode 0600), non-blocking. A socket that nobody listens
  // on any more is replaced; kConflict when somebody does, or when the path is another kind of
  // file.
  Status open(const std::filesystem::path& path, int backlog);
  int fd() const { return fd_; }
  // Removes the file too, unless another has taken its place.
  void close();

 private:
  int fd_ = -1;
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// A connected, blocking socket. kNotFound when nobody listens there.
Result<int> connect_unix(const std::filesystem::path& path);

}  // namespace hearth::net
