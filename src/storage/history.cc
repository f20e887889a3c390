#include "storage/history.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "base/time_text.h"
#include "storage/page_patch.h"

namespace hearth::storage {

namespace {

// A change of more pages is told in several records, so that no record is larger than some MiB.
constexpr std::size_t kPagesPerRecord = 1024;
constexpr std::uint32_t kEnd = 0xffff'ffff;
constexpr std::size_t kStemDigits = 16;

std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

std::string text_of(const Point& point, const std::string& stem, std::uint64_t incarnation) {
  char text[64];
  std::snprintf(text, sizeof text, "%08x-%08x-%08x-", point.epoch, point.segment, point.frame);
  char last[24];
  std::snprintf(last, sizeof last, "%016llx", static_cast<unsigned long long>(incarnation));
  return text + stem + last;
}

// The object's id, in part: bookmarks of one are not taken for another's.
std::string stem_of(const std::string& path) {
  std::string stem = std::filesystem::path(path).stem().string();
  stem.resize(kStemDigits, '0');
  return stem;
}

bool hex(std::string_view text, std::uint64_t& value) {
  value = 0;
  for (const char c : text) {
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return false;
    value = value << 4 | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return true;
}

}  // namespace

History::History(std::string database_path, Disk& disk, HistoryOptions options)
    : path_(std::move(database_path)), disk_(disk), options_(options), file_(path_, disk) {}

bool History::exists(const std::string& database_path, Disk& disk) {
  return disk.exists(HistoryFile::path_of(database_path)) ||
         disk.exists(HistoryFile::old_path_of(database_path));
}

Status History::remove(const std::string& database_path, Disk& disk) {
  return HistoryFile(database_path, disk).remove();
}

std::int64_t History::keep_from_ms() const {
  return disk_.now_ms() - options_.keep_ms;
}

// ---- what is there ----------------------------------------------------------------------------

Status History::load(DatabasePages& database) {
  Result<bool> there = file_.open();
  if (!there) return there.error();
  if (!*there) return begin(database);
  return tail_ ? Status() : read_tail();
}

Status History::read_tail() {
  Tail tail;
  bool found = false;
  Status status = file_.walk_back([&](const HistoryRecord& record) -> Result<bool> {
    if (record.kind == HistoryRecord::Kind::kRestored) {
      if (!tail.restored) tail.restored = record;
      return true;
    }
    tail.end = record.to;
    tail.salts = record.salts;
    tail.sums = record.sums;
    tail.pages = record.to_pages;
    tail.digest = record.to_digest;
    found = true;
    return false;
  });
  if (status && !found)
    status = Error{ErrorCode::kCorrupt, "the history of " + path_ + " is empty"};
  if (status) tail_ = std::move(tail);
  return status;
}

// A history begins with the database as it is, or before its first page.
Status History::begin(DatabasePages& database) {
  Result<std::uint32_t> pages = database.count();
  if (!pages) return pages.error();
  Result<std::uint64_t> digest = digest_of(database, *pages);
  if (!digest) return digest.error();
  HistoryRecord base;
  base.kind = HistoryRecord::Kind::kBase;
  base.born = *pages <= 1;
  base.to.at_ms = base.born ? 0 : disk_.modified_ms(path_);
  base.from.at_ms = disk_.now_ms();  // when this file was begun
  base.to_pages = *pages;
  base.to_digest = *digest;
  tail_.reset();
  log_.reset();
  if (Status status = file_.remove(); !status) return status;
  if (Status status = file_.create(random_number(), base); !status) return status;
  return read_tail();
}

Result<std::uint64_t> History::digest_of(DatabasePages& database, std::uint32_t pages) {
  std::uint64_t digest = 0;
  for (std::uint32_t number = 1; number <= pages; ++number) {
    Result<std::string> page = database.read(number);
    if (!page) return page.error();
    digest += page_digest(number, *page);
  }
  return digest;
}

// ---- into the history -------------------------------------------------------------------------

Status History::read_log(Disk::File& log, std::optional<std::uint32_t> upto) {
  Result<LogReader> opened = LogReader::open(log);
  if (!opened) return opened.error();
  if (!log_ || log_->salts() != opened->salts()) {
    log_ = std::move(*opened);
    index_.clear();
    indexed_ = 0;
  }
  if (Status status = log_->read_on(log, upto); !status) {
    log_.reset();
    return status;
  }
  const auto& frames = log_->frames();
  const std::uint32_t told = knows_log() ? tail_->end.frame : 0;
  for (; indexed_ < told; ++indexed_) index_[frames[indexed_].page] = indexed_ + 1;
  return {};
}

// Whether the log is the one that was told of last, further on. After a power cut SQLite may begin
// one anew under the same salts; the sums of a frame are of everything before it too.
bool History::knows_log() const {
  const std::uint32_t told = tail_->end.frame;
  return tail_->salts == log_->salts() && told > 0 && told <= log_->frames().size() &&
         log_->frames()[told - 1].sums == tail_->sums;
}

Status History::archive(DatabasePages& database, Disk::File* log, std::optional<std::uint32_t> upto,
                        std::int64_t last_ms, std::vector<std::shared_ptr<Wanted>>& wanted) {
  if (Status status = load(database); !status) return status;
  if (log != nullptr && (!upto || *upto > 0)) {
    if (Status status = read_log(*log, upto); !status) return status;
    const std::uint64_t salts = log_->salts();
    const std::uint32_t end = upto.value_or(static_cast<std::uint32_t>(log_->frames().size()));
    const bool known = knows_log();
    if (!known && file_.was_cut()) {
      if (Status status = check(database); !status) return status;
    }
    const bool restored = tail_->restored && tail_->restored->salts == salts;
    Point to = tail_->end;
    if (!known) ++to.segment;
    if (restored) to.epoch = tail_->restored->to.epoch;
    const std::uint32_t told = known ? to.frame : 0;
    std::map<std::uint32_t, std::int64_t> stops{{end, last_ms}};
    if (restored) stops.emplace(tail_->restored->to.frame, tail_->restored->to.at_ms);
    for (const auto& each : wanted) {
      settle_unknown(*each, end);
      if (each->frame <= told) each->point = tail_->end;
      stops[each->frame] = each->at_ms;
    }
    for (const auto& [frame, at_ms] : stops) {
      if (frame <= told || frame > end || salts == 0) continue;
      to.frame = frame;
      to.at_ms = std::max(tail_->end.at_ms, at_ms);
      if (Status status = tell(database, *log, frame, to); !status) return status;
      for (const auto& each : wanted) {
        if (each->frame == frame) each->point = tail_->end;
      }
    }
  } else {
    for (const auto& each : wanted) each->point = tail_->end;
  }
  std::erase_if(wanted, [](const auto& each) { return each->point.has_value(); });
  if (Status status = bound(); !status) return status;
  return file_.settle();
}

void History::settle_unknown(Wanted& wanted, std::uint32_t end) const {
  if (wanted.frame != Wanted::kUnknown) return;
  std::uint32_t frame = wanted.before == 0 ? end : std::min(end, wanted.before - 1);
  while (frame > 0 && log_->frames()[frame - 1].pages == 0) --frame;
  wanted.frame = frame;
}

// As of `tail_->end`.
Result<std::string> History::older_page(DatabasePages& database, Disk::File& log,
                                        std::uint32_t number) {
  const auto found = index_.find(number);
  return found == index_.end() ? database.read(number) : log_->page(log, found->second);
}

Status History::tell(DatabasePages& database, Disk::File& log, std::uint32_t upto, Point to) {
  const auto& frames = log_->frames();
  std::map<std::uint32_t, std::uint32_t> newer;  // page, its last frame
  for (std::uint32_t frame = indexed_ + 1; frame <= upto; ++frame) {
    newer[frames[frame - 1].page] = frame;
  }
  HistoryRecord record;
  record.kind = HistoryRecord::Kind::kChange;
  record.from = tail_->end;
  record.to = to;
  record.salts = log_->salts();
  record.sums = frames[upto - 1].sums;
  record.from_pages = tail_->pages;
  record.to_pages = frames[upto - 1].pages;
  record.from_digest = record.to_digest = tail_->digest;
  // Pages that the database no longer has, and those that it has again without writing them.
  const auto [fewer, more] = std::minmax(record.from_pages, record.to_pages);
  for (std::uint32_t page = fewer + 1; page <= more; ++page) newer.emplace(page, 0);
  const std::string zeros(log_->page_bytes(), '\0');
  std::vector<std::string> patches;
  std::vector<HistoryRecord::Page> pages;
  patches.reserve(newer.size());
  for (const auto& [number, frame] : newer) {
    Result<std::string> left = older_page(database, log, number);
    if (!left) return left.error();
    const Result<std::string> before = number <= record.from_pages ? *left : zeros;
    Result<std::string> after = number <= record.to_pages ? *left : zeros;
    if (number <= record.to_pages && frame != 0) after = log_->page(log, frame);
    if (!after) return after.error();
    record.to_digest += page_digest(number, *after) - page_digest(number, *before);
    patches.push_back(make_patch(*before, *after));
    if (!patches.back().empty()) pages.push_back({number, patches.back()});
  }
  record.first = true;
  for (std::size_t at = 0; record.first || at < pages.size(); at += kPagesPerRecord) {
    const std::size_t end = std::min(pages.size(), at + kPagesPerRecord);
    record.pages.assign(pages.begin() + static_cast<std::ptrdiff_t>(std::min(at, end)),
                        pages.begin() + static_cast<std::ptrdiff_t>(end));
    record.last = end == pages.size();
    if (Status status = file_.append(record); !status) {
      tail_.reset();
      return status;
    }
    record.first = false;
  }
  for (; indexed_ < upto; ++indexed_) index_[frames[indexed_].page] = indexed_ + 1;
  tail_->end = to;
  tail_->salts = record.salts;
  tail_->sums = record.sums;
  tail_->pages = record.to_pages;
  tail_->digest = record.to_digest;
  tail_->restored.reset();
  return {};
}

Status History::bound() {
  const std::uint64_t database_bytes =
      log_ ? std::uint64_t{tail_->pages} * log_->page_bytes() : std::uint64_t{0};
  const std::uint64_t bytes_max = std::max(options_.bytes_least, database_bytes);
  bool full = file_.bytes() >= bytes_max / 2;
  if (!full) {
    Result<HistoryRecord> base = file_.base();
    if (!base) return base.error();
    full = base->from.at_ms < keep_from_ms();
  }
  // What a restore is waiting for is not dropped.
  if (!full || tail_->restored || disk_.exists(order_path_of(path_))) return {};
  HistoryRecord base;
  base.kind = HistoryRecord::Kind::kBase;
  base.from.at_ms = disk_.now_ms();
  base.to = tail_->end;
  base.salts = tail_->salts;
  base.sums = tail_->sums;
  base.to_pages = tail_->pages;
  base.to_digest = tail_->digest;
  return file_.rotate(base);
}

// ---- bookmarks --------------------------------------------------------------------------------

std::string History::bookmark_of_nothing(const std::string& database_path) {
  return text_of({}, stem_of(database_path), 0);
}

std::string History::bookmark(const Point& point) const {
  return text_of(point, stem_of(path_), file_.incarnation());
}

std::string History::bookmark_of_end() const {
  return bookmark({tail_->end.epoch, kEnd, kEnd, 0});
}

bool History::Target::matches(const Point& candidate) const {
  return end_of_epoch ? candidate.epoch <= point.epoch : candidate == point;
}

Result<History::Target> History::parse(std::string_view bookmark) const {
  const std::string own = bookmark_of_nothing(path_);
  const std::string shown(bookmark.substr(0, 100));
  std::uint64_t parts[5] = {};
  constexpr std::pair<std::size_t, std::size_t> kPlaces[] = {
      {0, 8}, {9, 8}, {18, 8}, {27, kStemDigits}, {43, 16}};
  bool good = bookmark.size() == own.size();
  for (std::size_t i = 0; good && i < 5; ++i) {
    const std::string_view part = bookmark.substr(kPlaces[i].first, kPlaces[i].second);
    good = (i == 3 || hex(part, parts[i])) && (i > 2 || bookmark[kPlaces[i].first + 8] == '-');
  }
  if (!good) return Error{ErrorCode::kInvalid, "\"" + shown + "\" is no bookmark"};
  if (bookmark.substr(27, kStemDigits) != std::string_view(own).substr(27, kStemDigits)) {
    return Error{ErrorCode::kInvalid, "the bookmark " + shown + " is of another Durable Object"};
  }
  Target target;
  target.point.epoch = static_cast<std::uint32_t>(parts[0]);
  target.point.segment = static_cast<std::uint32_t>(parts[1]);
  target.point.frame = static_cast<std::uint32_t>(parts[2]);
  target.end_of_epoch = target.point.segment == kEnd;
  const bool of_nothing = bookmark == own;
  if (parts[4] != file_.incarnation() && !of_nothing) {
    return Error{ErrorCode::kNotFound, "the history that the bookmark " + shown +
                                           " belongs to is gone, and was begun anew"};
  }
  return target;
}

Result<Point> History::search(const std::function<bool(const Point&)>& wanted,
                              const std::string& missing) {
  if (wanted(tail_->end)) return tail_->end;
  std::optional<Point> found;
  Point oldest = tail_->end;
  Status status = file_.walk_back([&](const HistoryRecord& record) -> Result<bool> {
    if (record.kind == HistoryRecord::Kind::kRestored) return true;
    if (record.kind == HistoryRecord::Kind::kChange && !record.first) return true;
    oldest = record.kind == HistoryRecord::Kind::kBase ? record.to : record.from;
    if (wanted(oldest)) found = oldest;
    return !found;
  });
  if (!status) return status.error();
  if (found) return *found;
  return Error{ErrorCode::kNotFound,
               missing + "; the history that is kept of this object goes back to " +
                   (oldest.at_ms == 0 ? "its beginning" : time_text(oldest.at_ms))};
}

Result<Point> History::find(std::string_view bookmark) {
  const Result<Target> target = parse(bookmark);
  if (!target) return target.error();
  return search([&](const Point& point) { return target->matches(point); },
                "the point of the bookmark " + std::string(bookmark) + " is not kept any more");
}

Result<Point> History::at_time(std::int64_t time_ms) {
  return search([&](const Point& point) { return point.at_ms <= time_ms; },
                "there is no bookmark for " + time_text(time_ms));
}

// ---- back -------------------------------------------------------------------------------------

Status History::restore(DatabasePages& database, std::string_view bookmark) {
  if (Status status = load(database); !status) return status;
  const Result<Target> target = parse(bookmark);
  if (!target) return target.error();
  const Result<Point> point = find(bookmark);
  if (!point) return point.error();
  if (Status status = check(database); !status) return status;
  const std::string scratch_path = path_ + "-wal-restore";
  Result<std::unique_ptr<Disk::File>> file = disk_.open(scratch_path, Disk::Open::kCreate);
  if (!file) return file.error();
  if (Status status = (*file)->truncate(0); !status) return status;
  const std::uint64_t salts = random_number() | 1;
  LogWriter scratch(std::move(*file), database.page_bytes(), salts);
  std::uint64_t digest = tail_->digest;
  std::uint32_t target_pages = tail_->pages;
  Result<std::uint64_t> wanted = undo(database, *target, scratch, &target_pages);
  if (!wanted) return wanted.error();
  for (const std::uint32_t number : scratch.pages()) {
    Result<std::string> before = database.read(number);
    if (!before) return before.error();
    Result<std::string> after = scratch.get(number);
    if (!after) return after.error();
    if (number <= target_pages) digest += page_digest(number, *after);
    digest -= page_digest(number, *before);
  }
  if (digest != *wanted || target_pages == 0) {
    return Error{ErrorCode::kCorrupt, "the history of " + path_ + " is damaged"};
  }
  const Result<std::uint32_t> frames = scratch.finish(target_pages);
  if (!frames) return frames.error();
  HistoryRecord record;
  record.kind = HistoryRecord::Kind::kRestored;
  record.salts = salts;
  record.to = {tail_->end.epoch + 1, 0, *frames, disk_.now_ms()};
  if (Status status = file_.append(record); !status) return status;
  tail_->restored = record;
  return disk_.rename(scratch_path, path_ + "-wal");
}

// Whether the database, without its log, is what was told of last.
Status History::check(DatabasePages& database) {
  Result<std::uint32_t> pages = database.count();
  if (!pages) return pages.error();
  Result<std::uint64_t> digest = digest_of(database, *pages);
  if (!digest) return digest.error();
  if (*pages == tail_->pages && *digest == tail_->digest) return {};
  return Error{ErrorCode::kCorrupt, path_ +
                                        " is not what its history says: something else than hearth "
                                        "wrote to it, or the history is damaged"};
}

// Every page that is to change, as it is to be; gives the digest that the whole is to have.
Result<std::uint64_t> History::undo(DatabasePages& database, const Target& target,
                                    LogWriter& scratch, std::uint32_t* pages) {
  const auto page = [&](std::uint32_t number) {
    return scratch.has(number) ? scratch.get(number) : database.read(number);
  };
  // A restore to the present is one too: it begins a new epoch.
  Result<std::string> first = page(1);
  if (!first) return first.error();
  if (Status status = scratch.put(1, *first); !status) return status.error();
  std::uint64_t digest = tail_->digest;
  if (target.matches(tail_->end)) return digest;
  Status walked = file_.walk_back([&](const HistoryRecord& record) -> Result<bool> {
    if (record.kind != HistoryRecord::Kind::kChange) return true;
    for (const HistoryRecord::Page& each : record.pages) {
      Result<std::string> bytes = page(each.number);
      if (!bytes) return bytes.error();
      if (!apply_patch(each.patch, *bytes)) {
        return Error{ErrorCode::kCorrupt, "the history of " + path_ + " is damaged"};
      }
      if (Status status = scratch.put(each.number, *bytes); !status) return status.error();
    }
    if (!record.first) return true;
    digest = record.from_digest;
    *pages = record.from_pages;
    return !target.matches(record.from);
  });
  if (!walked) return walked.error();
  return digest;
}

}  // namespace hearth::storage
