#include "storage/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace hearth::storage {

namespace {

Error system_error(const std::string& what) {
  return {ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

Status sync_path(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) return system_error("opening " + path + " to sync it");
  const int failed = ::fsync(descriptor);
  Status status = failed == 0 ? Status() : Status(system_error("syncing " + path));
  ::close(descriptor);
  return status;
}

class SystemFile : public Disk::File {
 public:
  SystemFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~SystemFile() override { ::close(descriptor_); }
  Status sync_data() override {
    if (::fdatasync(descriptor_) == 0) return {};
    return system_error("syncing " + path_);
  }
  Status rewrite() override {
    std::string bytes(kRewriteBytes, '\0');
    off_t at = 0;
    for (ssize_t got; (got = ::pread(descriptor_, bytes.data(), bytes.size(), at)) != 0;
         at += got) {
      if (got < 0) return system_error("reading " + path_);
      if (::pwrite(descriptor_, bytes.data(), static_cast<std::size_t>(got), at) != got) {
        return system_error("writing " + path_);
      }
    }
    return {};
  }

 private:
  static constexpr std::size_t kRewriteBytes = 256 * 1024;
  const int descriptor_;
  const std::string path_;
};

class SystemDisk : public Disk {
 public:
  const char* vfs() const override { return nullptr; }
  std::optional<std::uint64_t> size_of(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return std::nullopt;
    return static_cast<std::uint64_t>(info.st_size);
  }
  std::string head(const std::string& path, std::size_t count) override {
    std::string bytes(count, '\0');
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return {};
    const ssize_t got = ::pread(descriptor, bytes.data(), count, 0);
    ::close(descriptor);
    bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return bytes;
  }
  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return system_error("removing " + path);
  }
  Status make_folders(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (!error) return {};
    return Error{ErrorCode::kIo, "creating the folder " + path + ": " + error.message()};
  }
  Result<std::unique_ptr<File>> open(const std::string& path) override {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return system_error("opening " + path + " to sync it");
    return std::unique_ptr<File>(std::make_unique<SystemFile>(descriptor, path));
  }
  Status sync_file(const std::string& path) override { return sync_path(path, O_RDONLY); }
  Status sync_folder(const std::string& path) override {
    return sync_path(path, O_RDONLY | O_DIRECTORY);
  }
};

}  // namespace

Disk& system_disk() {
  static SystemDisk disk;
  return disk;
}

}  // namespace hearth::storage
