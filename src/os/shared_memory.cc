#include "os/shared_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <utility>

namespace hearth::os {

Result<SharedMemory> SharedMemory::create(const char* name, std::size_t bytes) {
  SharedMemory memory;
  memory.file_ = Descriptor(::memfd_create(name, MFD_CLOEXEC));
  if (!memory.file_) return system_error("memfd_create");
  if (::ftruncate(memory.file_.get(), static_cast<off_t>(bytes)) != 0) {
    return system_error("ftruncate");
  }
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.file_.get(), 0);
  if (data == MAP_FAILED) return system_error("mmap");
  memory.data_ = data;
  memory.size_ = bytes;
  return memory;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : file_(std::move(other.file_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace hearth::os
