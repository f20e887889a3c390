// Scratch memory for the strings of one call from JavaScript: they are decoded into it, encoded
// into a frame from it, and dropped together when the call ends. One per host, JavaScript thread
// only.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace hearth::addon {

class Arena {
 public:
  Arena() : block_(std::make_unique<char[]>(kBlockBytes)) {}

  // `bytes` of uninitialised memory, valid until `reset`.
  char* take(std::size_t bytes) {
    if (bytes <= kBlockBytes - used_) {
      char* start = block_.get() + used_;
      used_ += bytes;
      return start;
    }
    large_.push_back(std::unique_ptr<char[]>(new char[bytes]));
    return large_.back().get();
  }

  // Gives back the unused end of what the last `take` of the block returned.
  void trim(const char* start, std::size_t used) {
    if (start >= block_.get() && start < block_.get() + kBlockBytes) {
      used_ = static_cast<std::size_t>(start - block_.get()) + used;
    }
  }

  void reset() {
    used_ = 0;
    if (!large_.empty()) large_.clear();
  }

 private:
  static constexpr std::size_t kBlockBytes = 64 * 1024;
  std::unique_ptr<char[]> block_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<char[]>> large_;
};

}  // namespace hearth::addon
