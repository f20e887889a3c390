#include "storage/write_ahead_log.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace hearth::storage {

namespace {

constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
// The last bit says that checksums are of big-endian words.
constexpr std::uint32_t kMagic = 0x377f0682;
constexpr std::uint32_t kVersion = 3'007'000;

std::uint32_t big(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::uint32_t little(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void put_big(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift & 0xff));
}

// SQLite's own sums, going on from `sums`.
void sum_up(std::string_view bytes, bool big_endian, std::uint32_t (&sums)[2]) {
  const auto word = big_endian ? big : little;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    sums[0] += word(bytes, at) + sums[1];
    sums[1] += word(bytes, at + 4) + sums[0];
  }
}

// Two numbers that are used as one.
std::uint64_t pair_at(std::string_view bytes, std::size_t at) {
  return std::uint64_t{big(bytes, at)} << 32 | big(bytes, at + 4);
}

}  // namespace

Result<LogReader> LogReader::open(Disk::File& file) {
  Result<std::string> header = file.read(0, kHeaderBytes);
  if (!header) return header.error();
  LogReader log;
  if (header->size() < kHeaderBytes || (big(*header, 0) & ~1U) != kMagic) return log;
  log.big_endian_ = (big(*header, 0) & 1U) != 0;
  sum_up(std::string_view(*header).substr(0, 24), log.big_endian_, log.sums_);
  if (log.sums_[0] != big(*header, 24) || log.sums_[1] != big(*header, 28)) return log;
  log.page_bytes_ = big(*header, 8);
  log.salts_ = pair_at(*header, 16);
  return log;
}

Status LogReader::read_on(Disk::File& file, std::optional<std::uint32_t> upto) {
  if (salts_ == 0) return {};
  const std::size_t whole = kFrameHeaderBytes + page_bytes_;
  std::size_t ended = frames_.size();  // frames up to the last whole transaction
  while (!upto || frames_.size() < *upto) {
    const std::uint64_t at = kHeaderBytes + frames_.size() * whole;
    Result<std::string> frame = file.read(at, upto ? kFrameHeaderBytes : whole);
    if (!frame) return frame.error();
    const bool there = frame->size() == (upto ? kFrameHeaderBytes : whole) &&
                       pair_at(*frame, 8) == salts_ && big(*frame, 0) != 0;
    if (!there && !upto) break;
    if (!there) return Error{ErrorCode::kCorrupt, "the log lacks frames that were written to it"};
    if (!upto) {
      sum_up(std::string_view(*frame).substr(0, 8), big_endian_, sums_);
      sum_up(std::string_view(*frame).substr(kFrameHeaderBytes), big_endian_, sums_);
      if (sums_[0] != big(*frame, 16) || sums_[1] != big(*frame, 20)) break;
    }
    frames_.push_back({big(*frame, 0), big(*frame, 4), pair_at(*frame, 16)});
    if (frames_.back().pages != 0) ended = frames_.size();
  }
  if (!upto) frames_.resize(ended);
  return {};
}

Result<std::string> LogReader::page(Disk::File& file, std::uint32_t frame) const {
  const std::uint64_t whole = kFrameHeaderBytes + page_bytes_;
  const std::uint64_t at = kHeaderBytes + (frame - 1) * whole + kFrameHeaderBytes;
  Result<std::string> bytes = file.read(at, page_bytes_);
  if (bytes && bytes->size() != page_bytes_) {
    return Error{ErrorCode::kCorrupt, "the log ends within a page"};
  }
  return bytes;
}

LogWriter::LogWriter(std::unique_ptr<Disk::File> file, std::uint32_t page_bytes,
                     std::uint64_t salts)
    : file_(std::move(file)), page_bytes_(page_bytes), salts_(salts) {}

std::uint64_t LogWriter::place(std::uint32_t slot) const {
  return kHeaderBytes + std::uint64_t{slot} * (kFrameHeaderBytes + page_bytes_);
}

Result<std::string> LogWriter::get(std::uint32_t page) {
  return file_->read(place(slots_.at(page)) + kFrameHeaderBytes, page_bytes_);
}

Status LogWriter::put(std::uint32_t page, std::string_view bytes) {
  const auto slot = slots_.emplace(page, static_cast<std::uint32_t>(slots_.size())).first->second;
  return file_->write(place(slot) + kFrameHeaderBytes, bytes);
}

std::vector<std::uint32_t> LogWriter::pages() const {
  std::vector<std::uint32_t> pages;
  for (const auto& [page, slot] : slots_) pages.push_back(page);
  std::sort(pages.begin(), pages.end());
  return pages;
}

Result<std::uint32_t> LogWriter::finish(std::uint32_t pages) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> kept;  // slot, page
  for (const auto& [page, slot] : slots_) {
    if (page <= pages) kept.emplace_back(slot, page);
  }
  std::sort(kept.begin(), kept.end());
  std::string header;
  for (const std::uint32_t word :
       {kMagic, kVersion, page_bytes_, 0U, static_cast<std::uint32_t>(salts_ >> 32),
        static_cast<std::uint32_t>(salts_)}) {
    put_big(header, word);
  }
  std::uint32_t sums[2] = {};
  sum_up(header, false, sums);
  put_big(header, sums[0]);
  put_big(header, sums[1]);
  if (Status status = file_->write(0, header); !status) return status.error();
  std::uint32_t frame = 0;
  for (const auto& [slot, page] : kept) {
    // Slots that are left out are filled by those after them.
    Result<std::string> bytes = file_->read(place(slot) + kFrameHeaderBytes, page_bytes_);
    if (!bytes) return bytes.error();
    std::string whole;
    put_big(whole, page);
    put_big(whole, frame + 1 == kept.size() ? pages : 0);
    sum_up(whole, false, sums);
    sum_up(*bytes, false, sums);
    for (const std::uint32_t word : {static_cast<std::uint32_t>(salts_ >> 32),
                                     static_cast<std::uint32_t>(salts_), sums[0], sums[1]}) {
      put_big(whole, word);
    }
    whole += *bytes;
    if (Status status = file_->write(place(frame++), whole); !status) return status.error();
  }
  if (Status status = file_->truncate(place(frame)); !status) return status.error();
  if (Status status = file_->sync_data(); !status) return status.error();
  return frame;
}

}  // namespace hearth::storage
