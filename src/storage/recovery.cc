#include "storage/recovery.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace hearth::storage {

namespace {

constexpr std::size_t kOrderBytesMax = 200;

}  // namespace

Recovery::Recovery(std::string database_path, Disk& disk, HistoryOptions options)
    : path_(std::move(database_path)),
      disk_(disk),
      options_(options),
      history_(std::make_unique<History>(path_, disk, options)) {}

void Recovery::note_commit(std::uint32_t frames) {
  if (!on()) return;
  const std::int64_t now = disk_.now_ms();
  if (kept_ms_ == 0) kept_ms_ = now;
  // What was there before this commit is kept, if nothing was for a while. A log that was begun
  // anew has been told whole.
  const bool keep =
      last_frames_ != 0 && last_frames_ < frames && now - kept_ms_ >= options_.grid_ms;
  std::lock_guard lock(wanted_mutex_);
  if (keep) {
    auto before = std::make_shared<Wanted>();
    before->frame = last_frames_;
    before->at_ms = last_ms_;
    wanted_.push_back(std::move(before));
    kept_ms_ = now;
    due_ = true;
  }
  if (!wrote_) {
    for (const auto& each : wanted_) each->before = frames;
  }
  wrote_ = true;
  last_frames_ = frames;
  last_ms_ = now;
}

bool Recovery::take_due() {
  return std::exchange(due_, false);
}

std::shared_ptr<Wanted> Recovery::want(std::optional<std::uint32_t> frames) {
  auto wanted = std::make_shared<Wanted>();
  wanted->frame = frames.value_or(Wanted::kUnknown);
  std::lock_guard lock(wanted_mutex_);
  wanted->at_ms = last_ms_ != 0 ? last_ms_ : disk_.modified_ms(path_ + "-wal");
  wanted_.push_back(wanted);
  return wanted;
}

Status Recovery::archive(Scope scope, DatabasePages& database, Disk::File* log,
                         std::optional<std::uint32_t> frames) {
  std::vector<std::shared_ptr<Wanted>> wanted;
  std::int64_t last_ms = 0;
  {
    std::lock_guard lock(wanted_mutex_);
    wanted.swap(wanted_);
    last_ms = last_ms_;
  }
  if (last_ms == 0) last_ms = disk_.modified_ms(path_ + "-wal");
  if (scope == Scope::kWanted && frames) {
    std::uint32_t last = 0;
    bool unknown = false;
    for (const auto& each : wanted) {
      if (each->frame == Wanted::kUnknown)
        unknown = true;
      else
        last = std::max(last, each->frame);
    }
    if (!unknown) frames = std::min(*frames, last);
  }
  Status status = history_->archive(database, log, frames, last_ms, wanted);
  // What could not be told is still wanted.
  std::lock_guard lock(wanted_mutex_);
  wanted_.insert(wanted_.begin(), wanted.begin(), wanted.end());
  return status;
}

Status Recovery::drop() {
  history_ = std::make_unique<History>(path_, disk_, options_);
  return History::remove(path_, disk_);
}

Status Recovery::order(std::string_view bookmark) {
  const std::string path = History::order_path_of(path_);
  const std::string draft = path + "-new";
  Result<std::unique_ptr<Disk::File>> file = disk_.open(draft, Disk::Open::kCreate);
  if (!file) return file.error();
  Status status = (*file)->truncate(0);
  if (status) status = (*file)->write(0, bookmark);
  if (status) status = (*file)->sync_data();
  file->reset();
  if (status) status = disk_.rename(draft, path);
  if (status) status = disk_.sync_folder(std::filesystem::path(path_).parent_path().string());
  return status;
}

Status Recovery::obey(DatabasePages& database) {
  const std::string path = History::order_path_of(path_);
  const std::string bookmark = disk_.head(path, kOrderBytesMax);
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  if (Status status = history_->restore(database, bookmark); !status) return status;
  // The order goes once the restore cannot be taken back, and must not come back after a power cut:
  // what the next process acknowledges comes after a sync of the folder, and so after this.
  if (disk_.sync_folder(folder) && disk_.remove(path)) (void)disk_.sync_folder(folder).ok();
  return {};
}

}  // namespace hearth::storage
