#include "storage/page_patch.h"

#include <cstddef>
#include <cstring>

namespace hearth::storage {

namespace {

// Runs closer than this are one: what is said of a run takes up to four bytes.
constexpr std::size_t kGapBytes = 4;
// A run of nothing: the page was all zeros, as one is that was not there.
const std::string kEmptied(2, '\0');

void put_number(std::string& out, std::size_t number) {
  while (number >= 0x80) {
    out.push_back(static_cast<char>(0x80 | (number & 0x7f)));
    number >>= 7;
  }
  out.push_back(static_cast<char>(number));
}

bool take_number(std::string_view& in, std::size_t& number) {
  number = 0;
  for (unsigned shift = 0; !in.empty() && shift < 28; shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    number |= static_cast<std::size_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

std::uint64_t load(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93ULL;
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93ULL;
  return value ^ (value >> 32);
}

std::uint64_t digest(std::uint64_t seed, std::string_view bytes) {
  std::uint64_t sum = mix(seed + 0x9e3779b97f4a7c15ULL);
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    sum = (sum ^ load(bytes.data() + at)) * 0x9fb21c651e98df25ULL;
    sum ^= sum >> 29;
  }
  for (; at < bytes.size(); ++at)
    sum = (sum ^ static_cast<unsigned char>(bytes[at])) * 0x100000001b3;
  return mix(sum ^ bytes.size());
}

// The first place from `at` on where they differ, or their end.
std::size_t next_difference(std::string_view a, std::string_view b, std::size_t at) {
  while (at + 8 <= a.size() && load(a.data() + at) == load(b.data() + at)) at += 8;
  while (at < a.size() && a[at] == b[at]) ++at;
  return at;
}

}  // namespace

std::string make_patch(std::string_view older, std::string_view newer) {
  std::string patch;
  const bool empty = older.find_first_not_of('\0') == std::string_view::npos;
  if (empty && next_difference(older, newer, 0) < older.size()) return kEmptied;
  std::size_t said = 0;
  std::size_t from = next_difference(older, newer, 0);
  while (from < older.size()) {
    std::size_t to = from + 1;
    std::size_t next = next_difference(older, newer, to);
    while (next < older.size() && next - to <= kGapBytes) {
      to = next + 1;
      next = next_difference(older, newer, to);
    }
    put_number(patch, from - said);
    put_number(patch, to - from);
    patch.append(older.substr(from, to - from));
    said = to;
    from = next;
  }
  return patch;
}

bool apply_patch(std::string_view patch, std::string& page) {
  std::size_t at = 0;
  if (patch == kEmptied) {
    page.assign(page.size(), '\0');
    return true;
  }
  while (!patch.empty()) {
    std::size_t skip = 0;
    std::size_t count = 0;
    if (!take_number(patch, skip) || !take_number(patch, count)) return false;
    at += skip;
    if (count > patch.size() || at + count > page.size()) return false;
    page.replace(at, count, patch.substr(0, count));
    patch.remove_prefix(count);
    at += count;
  }
  return true;
}

std::uint64_t page_digest(std::uint32_t number, std::string_view page) {
  if (page.find_first_not_of('\0') == std::string_view::npos) return 0;
  return digest(number, page);
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(digest(0, bytes));
}

}  // namespace hearth::storage
