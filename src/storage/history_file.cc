#include "storage/history_file.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "storage/page_patch.h"

namespace hearth::storage {

namespace {

constexpr std::string_view kMagic = "hearth history 1";
constexpr std::uint64_t kHeaderBytes = 24;
constexpr std::uint64_t kFramingBytes = 12;  // length, checksum, length
constexpr std::uint64_t kRecordBytesMax = 1U << 30;

template <typename Number>
void put(std::string& out, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) {
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i) & 0xff));
  }
}

// Takes numbers off the front of bytes; `ok` once all were there.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : bytes_(bytes) {}
  template <typename Number>
  void take(Number& number) {
    std::uint64_t value = 0;
    if (bytes_.size() < sizeof number) {
      ok_ = false;
      bytes_ = {};
    } else {
      for (std::size_t i = sizeof number; i-- > 0;) {
        value = value << 8 | static_cast<unsigned char>(bytes_[i]);
      }
      bytes_.remove_prefix(sizeof number);
    }
    number = static_cast<Number>(value);
  }
  std::string_view text(std::size_t count) {
    if (bytes_.size() < count) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

void put_point(std::string& out, const Point& point) {
  put(out, point.epoch);
  put(out, point.segment);
  put(out, point.frame);
  put(out, point.at_ms);
}

void take_point(Taker& in, Point& point) {
  in.take(point.epoch);
  in.take(point.segment);
  in.take(point.frame);
  in.take(point.at_ms);
}

std::uint32_t u32_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  Taker(bytes.substr(at)).take(value);
  return value;
}

}  // namespace

std::string HistoryRecord::encode() const {
  std::string out;
  put(out, static_cast<std::uint8_t>(kind));
  put(out, static_cast<std::uint8_t>((born ? 1 : 0) | (first ? 2 : 0) | (last ? 4 : 0)));
  put_point(out, from);
  put_point(out, to);
  put(out, salts);
  put(out, sums);
  put(out, from_pages);
  put(out, to_pages);
  put(out, from_digest);
  put(out, to_digest);
  put(out, static_cast<std::uint32_t>(pages.size()));
  for (const Page& page : pages) {
    put(out, page.number);
    put(out, static_cast<std::uint32_t>(page.patch.size()));
    out += page.patch;
  }
  return out;
}

std::optional<HistoryRecord> HistoryRecord::decode(std::string_view body) {
  Taker in(body);
  HistoryRecord record;
  std::uint8_t kind = 0;
  std::uint8_t flags = 0;
  std::uint32_t count = 0;
  in.take(kind);
  in.take(flags);
  if (kind < 1 || kind > 3) return std::nullopt;
  record.kind = static_cast<Kind>(kind);
  record.born = (flags & 1) != 0;
  record.first = (flags & 2) != 0;
  record.last = (flags & 4) != 0;
  take_point(in, record.from);
  take_point(in, record.to);
  in.take(record.salts);
  in.take(record.sums);
  in.take(record.from_pages);
  in.take(record.to_pages);
  in.take(record.from_digest);
  in.take(record.to_digest);
  in.take(count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    Page page;
    std::uint32_t length = 0;
    in.take(page.number);
    in.take(length);
    page.patch = in.text(length);
    record.pages.push_back(page);
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return record;
}

HistoryFile::HistoryFile(std::string database_path, Disk& disk)
    : database_(std::move(database_path)),
      path_(path_of(database_)),
      old_path_(old_path_of(database_)),
      disk_(disk) {}

Result<bool> HistoryFile::open_at(const std::string& path, std::unique_ptr<Disk::File>& file,
                                  std::uint64_t& bytes, std::uint64_t& incarnation) {
  const std::optional<std::uint64_t> size = disk_.size_of(path);
  if (!size || *size < kHeaderBytes) return false;
  Result<std::unique_ptr<Disk::File>> opened = disk_.open(path, Disk::Open::kExisting);
  if (!opened) return opened.error();
  Result<std::string> header = (*opened)->read(0, kHeaderBytes);
  if (!header) return header.error();
  if (header->substr(0, kMagic.size()) != kMagic) return false;
  Taker(std::string_view(*header).substr(kMagic.size())).take(incarnation);
  Result<std::uint64_t> whole = whole_bytes(**opened, *size);
  if (!whole) return whole.error();
  if (*whole <= kHeaderBytes) return false;  // not even its first record
  if (*whole < *size) {
    if (Status status = (*opened)->truncate(*whole); !status) return status.error();
    was_cut_ = true;
  }
  bytes = *whole;
  file = std::move(*opened);
  return true;
}

// The end of the last record that is whole. Where the file ends with one, that is all to look at.
Result<std::uint64_t> HistoryFile::whole_bytes(Disk::File& file, std::uint64_t size) {
  bool whole = false;
  Result<bool> looked = walk_file(file, size, [&](const HistoryRecord& record) -> Result<bool> {
    whole = record.kind != HistoryRecord::Kind::kChange || record.last;
    return false;
  });
  if (looked && whole) return size;
  if (!looked && looked.error().code != ErrorCode::kCorrupt) return looked.error();
  std::uint64_t at = kHeaderBytes;
  std::uint64_t end = at;
  while (at + kFramingBytes < size) {
    Result<std::string> length = file.read(at, 4);
    if (!length) return length.error();
    const std::uint64_t body_bytes = length->size() == 4 ? u32_at(*length, 0) : 0;
    if (body_bytes == 0 || at + kFramingBytes + body_bytes > size) break;
    Result<std::string> rest = file.read(at + 4, body_bytes + 8);
    if (!rest) return rest.error();
    const std::string_view body = std::string_view(*rest).substr(0, body_bytes);
    if (u32_at(*rest, body_bytes) != checksum(body) || u32_at(*rest, body_bytes + 4) != body_bytes)
      break;
    const std::optional<HistoryRecord> record = HistoryRecord::decode(body);
    if (!record) break;
    at += kFramingBytes + body_bytes;
    if (record->kind != HistoryRecord::Kind::kChange || record->last) end = at;
  }
  return end;
}

Result<bool> HistoryFile::open() {
  if (file_) return true;
  name_matters_ = name_matters_ || disk_.exists(old_path_);
  Result<bool> there = open_at(path_, file_, bytes_, incarnation_);
  if (!there || *there) return there;
  // A crash came between the two steps of `rotate`.
  std::unique_ptr<Disk::File> old;
  std::uint64_t bytes = 0;
  std::uint64_t incarnation = 0;
  there = open_at(old_path_, old, bytes, incarnation);
  if (!there || !*there) return there;
  std::optional<HistoryRecord> base;
  Result<bool> walked = walk_file(*old, bytes, [&](const HistoryRecord& record) -> Result<bool> {
    if (record.kind == HistoryRecord::Kind::kRestored) return true;
    base = record;
    return false;
  });
  if (!walked) return walked.error();
  if (!base) return false;
  base->kind = HistoryRecord::Kind::kBase;
  base->born = false;
  base->pages.clear();
  if (Status status = create(incarnation, *base); !status) return status.error();
  return true;
}

Status HistoryFile::create(std::uint64_t incarnation, const HistoryRecord& base) {
  Result<std::unique_ptr<Disk::File>> opened = disk_.open(path_, Disk::Open::kCreate);
  if (!opened) return opened.error();
  if (Status status = (*opened)->truncate(0); !status) return status;
  file_ = std::move(*opened);
  incarnation_ = incarnation;
  bytes_ = 0;
  name_synced_ = false;
  std::string header(kMagic);
  put(header, incarnation);
  if (Status status = write_and_sync(header); !status) return status;
  return append(base);
}

Status HistoryFile::append(const HistoryRecord& record) {
  if (!file_) return Error{ErrorCode::kIo, "the history " + path_ + " could not be written"};
  const std::string body = record.encode();
  std::string bytes;
  put(bytes, static_cast<std::uint32_t>(body.size()));
  bytes += body;
  put(bytes, checksum(body));
  put(bytes, static_cast<std::uint32_t>(body.size()));
  return write_and_sync(bytes);
}

Status HistoryFile::write_and_sync(std::string_view bytes) {
  Status status = file_->write(bytes_, bytes);
  if (status) status = file_->sync_data();
  if (status) {
    bytes_ += bytes.size();
    return {};
  }
  // What the system could not write it takes for written: cut off, it will be written anew.
  (void)file_->truncate(bytes_).ok();
  file_.reset();
  return status;
}

Status HistoryFile::rotate(const HistoryRecord& base) {
  const std::uint64_t incarnation = incarnation_;
  file_.reset();
  if (Status status = disk_.rename(path_, old_path_); !status) return status;
  name_matters_ = true;
  return create(incarnation, base);
}

Status HistoryFile::settle() {
  return name_matters_ ? sync_name() : Status();
}

Status HistoryFile::sync_name() {
  if (name_synced_) return {};
  const std::string folder = std::filesystem::path(database_).parent_path().string();
  Status status = disk_.sync_folder(folder.empty() ? "." : folder);
  name_synced_ = status.ok();
  return status;
}

Status HistoryFile::remove() {
  file_.reset();
  if (!disk_.exists(old_path_) && !disk_.exists(path_)) return {};
  name_matters_ = true;
  name_synced_ = false;
  if (Status status = disk_.remove(old_path_); !status) return status;
  if (Status status = disk_.remove(path_); !status) return status;
  return sync_name();
}

Result<bool> HistoryFile::walk_file(Disk::File& file, std::uint64_t end,
                                    const std::function<Result<bool>(const HistoryRecord&)>& each) {
  const Error torn{ErrorCode::kCorrupt, "the history " + path_ + " is damaged"};
  while (end > kHeaderBytes) {
    // The length at the record's end, and in most cases all of it, by one read.
    constexpr std::uint64_t kReadBytes = 4096;
    const std::uint64_t from = end - std::min(end - kHeaderBytes, kReadBytes);
    Result<std::string> tail = file.read(from, end - from);
    if (!tail) return tail.error();
    if (tail->size() != end - from || tail->size() < kFramingBytes) return torn;
    const std::uint64_t body_bytes = u32_at(*tail, tail->size() - 4);
    const std::uint64_t whole = body_bytes + kFramingBytes;
    if (body_bytes == 0 || body_bytes > kRecordBytesMax || whole > end - kHeaderBytes) return torn;
    std::string record_bytes;
    if (whole <= tail->size()) {
      record_bytes = tail->substr(tail->size() - whole);
    } else {
      Result<std::string> read = file.read(end - whole, whole);
      if (!read) return read.error();
      record_bytes = std::move(*read);
    }
    const std::string_view body = std::string_view(record_bytes).substr(4, body_bytes);
    if (record_bytes.size() != whole || u32_at(record_bytes, 4 + body_bytes) != checksum(body)) {
      return torn;
    }
    const std::optional<HistoryRecord> record = HistoryRecord::decode(body);
    if (!record) return torn;
    Result<bool> go_on = each(*record);
    if (!go_on || !*go_on) return go_on;
    end -= whole;
  }
  return true;
}

Status HistoryFile::walk_back(const std::function<Result<bool>(const HistoryRecord&)>& each) {
  if (!file_) return Error{ErrorCode::kIo, "the history " + path_ + " could not be written"};
  Result<bool> go_on = walk_file(*file_, bytes_, each);
  if (!go_on) return go_on.error();
  if (!*go_on) return {};
  std::unique_ptr<Disk::File> old;
  std::uint64_t bytes = 0;
  std::uint64_t incarnation = 0;
  Result<bool> there = open_at(old_path_, old, bytes, incarnation);
  if (!there) return there.error();
  if (!*there || incarnation != incarnation_) return {};
  go_on = walk_file(*old, bytes, each);
  return go_on ? Status() : Status(go_on.error());
}

Result<HistoryRecord> HistoryFile::base() {
  Result<std::string> length = file_->read(kHeaderBytes, 4);
  if (!length) return length.error();
  Result<std::string> body = file_->read(kHeaderBytes + 4, u32_at(*length + "\0\0\0\0", 0));
  if (!body) return body.error();
  std::optional<HistoryRecord> record = HistoryRecord::decode(*body);
  if (!record) return Error{ErrorCode::kCorrupt, "the history " + path_ + " is damaged"};
  record->pages.clear();
  return *record;
}

}  // namespace hearth::storage
