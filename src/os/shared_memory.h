// Memory that this process and one child share: an anonymous file, mapped here, inherited there.
// The mapping outlives the child, so that its last word can be read after its death.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "os/descriptor.h"

namespace hearth::os {

class SharedMemory {
 public:
  static Result<SharedMemory> create(const char* name, std::size_t bytes);
  SharedMemory() = default;
  ~SharedMemory();
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;

  void* data() const { return data_; }
  std::size_t size() const { return size_; }
  int descriptor() const { return file_.get(); }
  // The mapping stays.
  void close_descriptor() { file_.reset(); }

 private:
  Descriptor file_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace hearth::os
