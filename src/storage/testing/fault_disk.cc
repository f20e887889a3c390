#include "storage/testing/fault_disk.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <utility>

namespace hearth::storage {

namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr int kPathBytesMax = 512;

Error refused(int code, const std::string& what) {
  return {ErrorCode::kIo, what + ": " + sqlite3_errstr(code)};
}

}  // namespace

// SQLite's side. A file of SQLite's is a plain struct that SQLite allocates.
struct FaultVfs {
  struct File {
    sqlite3_file base;
    FaultDisk* disk;
    std::shared_ptr<FaultDisk::Inode>* inode;
    bool names_with_first_sync;
  };

  static File& file(sqlite3_file* raw) { return *reinterpret_cast<File*>(raw); }
  static FaultDisk& disk(sqlite3_vfs* vfs) { return *static_cast<FaultDisk*>(vfs->pAppData); }

  static int close(sqlite3_file* raw) {
    delete file(raw).inode;
    file(raw).inode = nullptr;
    return SQLITE_OK;
  }
  static int read(sqlite3_file* raw, void* bytes, int count, sqlite3_int64 offset) {
    FaultDisk& self = *file(raw).disk;
    std::lock_guard lock(self.mutex_);
    if (self.off_) return SQLITE_IOERR_READ;
    const std::string& content = (*file(raw).inode)->now;
    const std::size_t from = std::min<std::size_t>(content.size(), offset);
    const std::size_t there = std::min<std::size_t>(content.size() - from, count);
    std::memcpy(bytes, content.data() + from, there);
    std::memset(static_cast<char*>(bytes) + there, 0, count - there);
    return there == static_cast<std::size_t>(count) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* raw, const void* bytes, int count, sqlite3_int64 offset) {
    FaultDisk& self = *file(raw).disk;
    std::lock_guard lock(self.mutex_);
    return self.write(**file(raw).inode, bytes, count, offset);
  }
  static int truncate(sqlite3_file* raw, sqlite3_int64 size) {
    FaultDisk& self = *file(raw).disk;
    std::lock_guard lock(self.mutex_);
    return self.truncate(**file(raw).inode, size);
  }
  static int sync(sqlite3_file* raw, int) {
    FaultDisk& self = *file(raw).disk;
    std::lock_guard lock(self.mutex_);
    if (const int code = self.sync(**file(raw).inode); code != SQLITE_OK) return code;
    if (!std::exchange(file(raw).names_with_first_sync, false)) return SQLITE_OK;
    return self.sync_names();
  }
  static int size(sqlite3_file* raw, sqlite3_int64* size) {
    FaultDisk& self = *file(raw).disk;
    std::lock_guard lock(self.mutex_);
    *size = (*file(raw).inode)->now.size();
    return self.off_ ? SQLITE_IOERR_FSTAT : SQLITE_OK;
  }
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int check_lock(sqlite3_file*, int* held) {
    *held = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* raw, int flags, int* out) {
    static const sqlite3_io_methods kMethods = [] {
      sqlite3_io_methods methods = {};
      methods.iVersion = 1;
      methods.xClose = close;
      methods.xRead = read;
      methods.xWrite = write;
      methods.xTruncate = truncate;
      methods.xSync = sync;
      methods.xFileSize = size;
      methods.xLock = lock;
      methods.xUnlock = lock;
      methods.xCheckReservedLock = check_lock;
      methods.xFileControl = control;
      methods.xSectorSize = sector_size;
      methods.xDeviceCharacteristics = characteristics;
      return methods;
    }();
    FaultDisk& self = disk(vfs);
    std::lock_guard lock(self.mutex_);
    file(raw).base.pMethods = nullptr;
    if (self.off_) return SQLITE_CANTOPEN;
    std::shared_ptr<FaultDisk::Inode> inode;
    bool made = false;
    if (path == nullptr) {  // a temporary file without a name
      inode = std::make_shared<FaultDisk::Inode>();
    } else if (!(inode = self.find(path))) {
      if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
      if (const int code = self.meet(SQLITE_CANTOPEN); code != SQLITE_OK) return code;
      inode = self.make(path);
      made = true;
    }
    file(raw).disk = &self;
    file(raw).inode = new std::shared_ptr<FaultDisk::Inode>(std::move(inode));
    file(raw).names_with_first_sync =
        made && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    file(raw).base.pMethods = &kMethods;
    if (out != nullptr) *out = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    FaultDisk& self = disk(vfs);
    std::lock_guard lock(self.mutex_);
    if (const int code = self.meet(SQLITE_IOERR_DELETE); code != SQLITE_OK) return code;
    if (self.names_.erase(path) == 0) return SQLITE_IOERR_DELETE_NOENT;
    self.unsynced_names_.push_back(self.names_);
    return sync_folder != 0 ? self.sync_names() : SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* path, int, int* there) {
    FaultDisk& self = disk(vfs);
    std::lock_guard lock(self.mutex_);
    const auto found = self.find(path);
    // As SQLite's own: an empty file does not count.
    *there = found != nullptr && !found->now.empty() ? 1 : 0;
    return self.off_ ? SQLITE_IOERR_ACCESS : SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* path, int room, char* out) {
    sqlite3_snprintf(room, out, "%s", path);
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs* vfs, int count, char* out) {
    FaultDisk& self = disk(vfs);
    std::lock_guard lock(self.mutex_);
    for (int i = 0; i < count; ++i) out[i] = static_cast<char>(self.random_());
    return count;
  }
  static int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
  static int time(sqlite3_vfs*, double* julian_day) {
    *julian_day = 2460000.5;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }
};

FaultDisk::FaultDisk(std::uint64_t seed) : random_(seed) {
  static std::atomic<std::uint64_t> made = 0;
  sqlite3_initialize();
  name_ = "fault-" + std::to_string(++made);
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(FaultVfs::File);
  vfs_.mxPathname = kPathBytesMax;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = FaultVfs::open;
  vfs_.xDelete = FaultVfs::remove;
  vfs_.xAccess = FaultVfs::access;
  vfs_.xFullPathname = FaultVfs::full_path;
  vfs_.xRandomness = FaultVfs::randomness;
  vfs_.xSleep = FaultVfs::sleep;
  vfs_.xCurrentTime = FaultVfs::time;
  vfs_.xGetLastError = FaultVfs::last_error;
  sqlite3_vfs_register(&vfs_, 0);
}

FaultDisk::~FaultDisk() {
  sqlite3_vfs_unregister(&vfs_);
}

std::uint64_t FaultDisk::random(std::uint64_t below) {
  return random_() % below;
}

// ---- what the test orders ---------------------------------------------------------------------

void FaultDisk::plan(Fault fault, std::uint64_t nth) {
  std::lock_guard lock(mutex_);
  fault_ = fault;
  fault_at_ = calls_ + nth;
}

void FaultDisk::end_plan() {
  std::lock_guard lock(mutex_);
  fault_at_ = 0;
  full_ = false;
}

void FaultDisk::make_room() {
  end_plan();
}

void FaultDisk::cut_power() {
  std::lock_guard lock(mutex_);
  off_ = true;
}

bool FaultDisk::power_is_off() {
  std::lock_guard lock(mutex_);
  return off_;
}

void FaultDisk::boot(Loss loss) {
  std::lock_guard lock(mutex_);
  // Names reach the medium in order: any number of the changes did.
  const std::size_t changes = loss == Loss::kAll    ? 0
                              : loss == Loss::kNone ? unsynced_names_.size()
                                                    : random(unsynced_names_.size() + 1);
  if (changes > 0) medium_names_ = unsynced_names_[changes - 1];
  unsynced_names_.clear();
  names_ = medium_names_;
  for (auto& [path, inode] : names_) lose(*inode, loss);
  off_ = full_ = false;
  fault_at_ = 0;
}

void FaultDisk::lose(Inode& inode, Loss loss) {
  if (loss == Loss::kNone) inode.medium = inode.now;
  for (const Write& write : inode.unsynced) {
    if (loss != Loss::kSome || write.lost) continue;
    if (write.cut) {
      if (random(2) == 0) apply(inode.medium, write, 0, 0);
      continue;
    }
    // Whole, not at all, or torn: each sector by itself.
    const std::uint64_t fate = random(3);
    for (std::uint64_t from = 0; from < write.bytes.size();) {
      const std::uint64_t to_sector_end = kSectorBytes - (write.offset + from) % kSectorBytes;
      const std::uint64_t count = std::min(to_sector_end, write.bytes.size() - from);
      if (fate == 0 || (fate == 1 && random(2) == 0)) apply(inode.medium, write, from, count);
      from += count;
    }
  }
  inode.unsynced.clear();
  inode.now = inode.medium;
}

void FaultDisk::apply(std::string& content, const Write& write, std::uint64_t from,
                      std::uint64_t count) {
  if (write.cut) {
    content.resize(write.offset);
    return;
  }
  const std::uint64_t at = write.offset + from;
  if (content.size() < at + count) content.resize(at + count);
  content.replace(at, count, write.bytes, from, count);
}

std::uint64_t FaultDisk::calls() {
  std::lock_guard lock(mutex_);
  return calls_;
}

std::uint64_t FaultDisk::faults_met() {
  std::lock_guard lock(mutex_);
  return faults_met_;
}

std::string FaultDisk::content(const std::string& path) {
  std::lock_guard lock(mutex_);
  const auto inode = find(path);
  return inode ? inode->now : std::string();
}

void FaultDisk::overwrite(const std::string& path, std::string content) {
  std::lock_guard lock(mutex_);
  auto inode = find(path);
  if (!inode) inode = make(path);
  inode->now = inode->medium = std::move(content);
  inode->unsynced.clear();
  medium_names_ = names_;
  unsynced_names_.clear();
}

// ---- what a disk does -------------------------------------------------------------------------

int FaultDisk::meet(int failure) {
  if (off_) return failure;
  ++calls_;
  if (full_ && (failure == SQLITE_IOERR_WRITE || failure == SQLITE_CANTOPEN)) return SQLITE_FULL;
  if (fault_at_ == 0 || calls_ < fault_at_) return SQLITE_OK;
  switch (fault_) {
    case Fault::kPowerCut:
      off_ = true;
      break;
    case Fault::kFull:
      // The first call that needs room.
      if (failure != SQLITE_IOERR_WRITE && failure != SQLITE_CANTOPEN) return SQLITE_OK;
      full_ = true;
      failure = SQLITE_FULL;
      break;
    case Fault::kFail:
      break;
  }
  fault_at_ = 0;
  ++faults_met_;
  return failure;
}

int FaultDisk::write(Inode& inode, const void* bytes, std::uint64_t count, std::uint64_t offset) {
  const int code = meet(SQLITE_IOERR_WRITE);
  Write write{offset, std::string(static_cast<const char*>(bytes), count)};
  // A write that fails may have been done in part, also the one that the power cut meets.
  if (code != SQLITE_OK) write.bytes.resize(random(count + 1));
  apply(inode.now, write, 0, write.bytes.size());
  inode.modified_ms = now_ms_;
  inode.unsynced.push_back(std::move(write));
  return code;
}

int FaultDisk::truncate(Inode& inode, std::uint64_t size) {
  if (const int code = meet(SQLITE_IOERR_TRUNCATE); code != SQLITE_OK) return code;
  Write write{size, {}, true};
  apply(inode.now, write, 0, 0);
  inode.unsynced.push_back(std::move(write));
  return SQLITE_OK;
}

int FaultDisk::sync(Inode& inode) {
  if (const int code = meet(SQLITE_IOERR_FSYNC); code != SQLITE_OK) {
    if (!off_) {
      for (Write& write : inode.unsynced) write.lost = true;
    }
    return code;
  }
  std::vector<Write> lost;
  for (Write& write : inode.unsynced) {
    if (write.lost) {
      lost.push_back(std::move(write));
    } else {
      apply(inode.medium, write, 0, write.bytes.size());
    }
  }
  inode.unsynced = std::move(lost);
  return SQLITE_OK;
}

int FaultDisk::sync_names() {
  if (const int code = meet(SQLITE_IOERR_DIR_FSYNC); code != SQLITE_OK) return code;
  medium_names_ = names_;
  unsynced_names_.clear();
  return SQLITE_OK;
}

std::shared_ptr<FaultDisk::Inode> FaultDisk::find(const std::string& path) {
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

std::shared_ptr<FaultDisk::Inode> FaultDisk::make(const std::string& path) {
  auto inode = std::make_shared<Inode>();
  names_[path] = inode;
  unsynced_names_.push_back(names_);
  return inode;
}

// ---- Disk -------------------------------------------------------------------------------------

std::optional<std::uint64_t> FaultDisk::size_of(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (const auto inode = find(path)) return inode->now.size();
  // Folders are there as soon as they are asked for: what is tested is what is in them.
  if (path.find('.') == std::string::npos) return 0;
  return std::nullopt;
}

std::string FaultDisk::head(const std::string& path, std::size_t count) {
  return content(path).substr(0, count);
}

Status FaultDisk::remove(const std::string& path) {
  const int code = FaultVfs::remove(&vfs_, path.c_str(), 0);
  if (code == SQLITE_OK || code == SQLITE_IOERR_DELETE_NOENT) return {};
  return refused(code, path);
}

Status FaultDisk::make_folders(const std::string&) {
  return {};
}

Result<std::unique_ptr<Disk::File>> FaultDisk::open(const std::string& path, Open how) {
  class Opened : public File {
   public:
    Opened(FaultDisk& disk, std::shared_ptr<Inode> inode) : disk_(disk), inode_(std::move(inode)) {}
    Status sync_data() override {
      std::lock_guard lock(disk_.mutex_);
      const int code = disk_.sync(*inode_);
      return code == SQLITE_OK ? Status() : Status(refused(code, "syncing"));
    }
    Status rewrite() override {
      std::lock_guard lock(disk_.mutex_);
      const std::string bytes = inode_->now;
      const int code = disk_.write(*inode_, bytes.data(), bytes.size(), 0);
      return code == SQLITE_OK ? Status() : Status(refused(code, "writing"));
    }
    Result<std::string> read(std::uint64_t offset, std::size_t count) override {
      std::lock_guard lock(disk_.mutex_);
      if (disk_.off_) return refused(SQLITE_IOERR_READ, "reading");
      if (offset >= inode_->now.size()) return std::string();
      return inode_->now.substr(offset, count);
    }
    Status write(std::uint64_t offset, std::string_view bytes) override {
      std::lock_guard lock(disk_.mutex_);
      const int code = disk_.write(*inode_, bytes.data(), bytes.size(), offset);
      return code == SQLITE_OK ? Status() : Status(refused(code, "writing"));
    }
    Status truncate(std::uint64_t size) override {
      std::lock_guard lock(disk_.mutex_);
      const int code = disk_.truncate(*inode_, size);
      return code == SQLITE_OK ? Status() : Status(refused(code, "truncating"));
    }

   private:
    FaultDisk& disk_;
    std::shared_ptr<Inode> inode_;
  };
  std::lock_guard lock(mutex_);
  auto inode = find(path);
  if (off_ || (!inode && how == Open::kExisting)) return refused(SQLITE_CANTOPEN, path);
  if (!inode) {
    if (const int code = meet(SQLITE_CANTOPEN); code != SQLITE_OK) return refused(code, path);
    inode = make(path);
  }
  return std::unique_ptr<File>(std::make_unique<Opened>(*this, std::move(inode)));
}

Status FaultDisk::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (const int code = meet(SQLITE_IOERR_DELETE); code != SQLITE_OK) return refused(code, from);
  const auto inode = find(from);
  if (!inode) return refused(SQLITE_CANTOPEN, from);
  names_[to] = inode;
  names_.erase(from);
  unsynced_names_.push_back(names_);
  return {};
}

std::int64_t FaultDisk::modified_ms(const std::string& path) {
  std::lock_guard lock(mutex_);
  const auto inode = find(path);
  return inode ? inode->modified_ms : 0;
}

std::int64_t FaultDisk::now_ms() {
  std::lock_guard lock(mutex_);
  return now_ms_;
}

void FaultDisk::pass_time(std::int64_t ms) {
  std::lock_guard lock(mutex_);
  now_ms_ += ms;
}

Status FaultDisk::sync_folder(const std::string& path) {
  std::lock_guard lock(mutex_);
  const int code = sync_names();
  return code == SQLITE_OK ? Status() : Status(refused(code, path));
}

}  // namespace hearth::storage
