// A file descriptor with an owner, and the few system calls that make one. No thread of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "base/result.h"

namespace hearth::os {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    number_ = std::exchange(other.number_, -1);
    return *this;
  }

  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  void reset();
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

// A message of `what` and the system's words for errno.
Error system_error(const char* what);

// Two ends of a Unix stream socket; both close on exec. The first is non-blocking.
Result<std::pair<Descriptor, Descriptor>> socket_pair();

// The reading and the writing end of a pipe; both close on exec.
Result<std::pair<Descriptor, Descriptor>> pipe_ends();

// Holds an advisory lock on the file (made if missing) for as long as the descriptor lives, and
// writes this process's number into it. kConflict, with that number, when another holds it.
Result<Descriptor> lock_file(const std::filesystem::path& path);

// Raises the soft limit on open descriptors to the hard one. Returns what holds now.
std::uint64_t raise_descriptor_limit();

}  // namespace hearth::os
