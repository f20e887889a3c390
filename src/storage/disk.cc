#include "storage/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace hearth::storage {

namespace {

Error system_error(const std::string& what) {
  return {ErrorCode::kIo, what + ": " + std::strerror(errno)};
}

Status sync_folder_at(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
  Result<std::string> read(std::uint64_t offset, std::size_t count) override {
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
      const ssize_t got = ::pread(descriptor_, bytes.data() + have, count - have,
                                  static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_error("reading " + path_);
      if (got == 0) break;
      have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }
  Status write(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t put =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return system_error("writing " + path_);
      bytes.remove_prefix(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
    return {};
  }
  Status truncate(std::uint64_t size) override {
    if (::ftruncate(descriptor_, static_cast<off_t>(size)) == 0) return {};
    return system_error("truncating " + path_);
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
  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override {
    const int flags = O_RDWR | O_CLOEXEC | (how == Open::kCreate ? O_CREAT : 0);
    const int descriptor = ::open(path.c_str(), flags, 0644);
    if (descriptor < 0) return system_error("opening " + path);
    return std::unique_ptr<File>(std::make_unique<SystemFile>(descriptor, path));
  }
  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return system_error("renaming " + from);
  }
  std::int64_t modified_ms(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return 0;
    return static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1000 + info.st_mtim.tv_nsec / 1'000'000;
  }
  std::int64_t now_ms() override {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
  }
  Status sync_folder(const std::string& path) override { return sync_folder_at(path); }
};

}  // namespace

Disk& system_disk() {
  static SystemDisk disk;
  return disk;
}

}  // namespace hearth::storage
