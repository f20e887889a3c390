// UTF-8 checked as it arrives (RFC 3629): fed piece by piece, it fails at the first byte that
// cannot continue any valid text, and tells whether all of it was ASCII. Pure; a few bytes of
// state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hearth::net {

class Utf8Checker {
 public:
  // False at the first wrong byte; the checker is then of no further use until reset().
  [[nodiscard]] bool feed(std::string_view bytes);
  // True when the text may end here: no sequence is open.
  bool complete() const { return need_ == 0; }
  bool ascii() const { return ascii_; }
  void reset() { *this = Utf8Checker(); }
  // All of it in a number, and back.
  std::uint32_t packed() const {
    return static_cast<std::uint32_t>(need_) | static_cast<std::uint32_t>(low_) << 8 |
           static_cast<std::uint32_t>(high_) << 16 | (ascii_ ? 1U << 24 : 0U);
  }
  void unpack(std::uint32_t packed) {
    need_ = static_cast<std::uint8_t>(packed & 3);
    low_ = static_cast<std::uint8_t>(packed >> 8);
    high_ = static_cast<std::uint8_t>(packed >> 16);
    ascii_ = (packed >> 24 & 1) != 0;
  }

 private:
  std::uint8_t need_ = 0;     // continuation bytes still to come
  std::uint8_t low_ = 0x80;   // what the next of them may be: overlong forms, surrogates and
  std::uint8_t high_ = 0xbf;  // values past U+10FFFF show in the first continuation byte
  bool ascii_ = true;
};

// The length of the leading part of `bytes` that is ASCII.
std::size_t ascii_prefix(std::string_view bytes);

bool is_utf8(std::string_view bytes);

// XORs `bytes` with the four mask bytes, the first of them at `phase` (0 to 3).
void unmask(char* bytes, std::size_t size, std::uint32_t mask, unsigned phase);

}  // namespace hearth::net
