#include "net/utf8.h"

#include <bit>
#include <cstring>

namespace hearth::net {

namespace {
constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;

std::uint64_t load(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
}  // namespace

std::size_t ascii_prefix(std::string_view bytes) {
  const char* data = bytes.data();
  const std::size_t size = bytes.size();
  std::size_t at = 0;
  for (; at + 32 <= size; at += 32) {
    const std::uint64_t any =
        load(data + at) | load(data + at + 8) | load(data + at + 16) | load(data + at + 24);
    if ((any & kHighBits) != 0) break;
  }
  for (; at + 8 <= size; at += 8) {
    if ((load(data + at) & kHighBits) != 0) break;
  }
  while (at < size && static_cast<std::uint8_t>(data[at]) < 0x80) ++at;
  return at;
}

bool Utf8Checker::feed(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (need_ == 0) {
      at += ascii_prefix(bytes.substr(at));
      if (at == bytes.size()) break;
      ascii_ = false;
      const auto lead = static_cast<std::uint8_t>(bytes[at++]);
      low_ = 0x80;
      high_ = 0xbf;
      if (lead >= 0xc2 && lead <= 0xdf) {
        need_ = 1;
      } else if (lead >= 0xe0 && lead <= 0xef) {
        need_ = 2;
        if (lead == 0xe0) low_ = 0xa0;
        if (lead == 0xed) high_ = 0x9f;
      } else if (lead >= 0xf0 && lead <= 0xf4) {
        need_ = 3;
        if (lead == 0xf0) low_ = 0x90;
        if (lead == 0xf4) high_ = 0x8f;
      } else {
        return false;
      }
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(bytes[at++]);
    if (byte < low_ || byte > high_) return false;
    low_ = 0x80;
    high_ = 0xbf;
    --need_;
  }
  return true;
}

bool is_utf8(std::string_view bytes) {
  Utf8Checker checker;
  return checker.feed(bytes) && checker.complete();
}

void unmask(char* bytes, std::size_t size, std::uint32_t mask, unsigned phase) {
  // The key as it lies in memory, turned so that its first byte meets bytes[0].
  char key[8];
  char plain[4];
  std::memcpy(plain, &mask, 4);
  for (unsigned i = 0; i < 8; ++i) key[i] = plain[(phase + i) & 3];
  std::uint64_t wide;
  std::memcpy(&wide, key, 8);
  std::size_t at = 0;
  for (; at + 32 <= size; at += 32) {
    for (std::size_t lane = 0; lane < 32; lane += 8) {
      const std::uint64_t word = load(bytes + at + lane) ^ wide;
      std::memcpy(bytes + at + lane, &word, 8);
    }
  }
  for (; at + 8 <= size; at += 8) {
    const std::uint64_t word = load(bytes + at) ^ wide;
    std::memcpy(bytes + at, &word, 8);
  }
  for (std::size_t i = 0; at < size; ++at, ++i)
    bytes[at] = static_cast<char>(bytes[at] ^ key[i & 3]);
}

}  // namespace hearth::net
