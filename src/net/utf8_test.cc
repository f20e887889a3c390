#include "net/utf8.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace hearth::net {
namespace {

using namespace std::string_literals;

// How the standard's table 3-7 reads, decided sequence by sequence, to check the checker against.
bool plainly_valid(const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](std::size_t i) {
      return at + i < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[at + i]))
                                  : 0U;
    };
    const unsigned lead = byte(0);
    const std::size_t size = lead < 0x80       ? 1
                             : lead >> 5 == 6  ? 2
                             : lead >> 4 == 14 ? 3
                             : lead >> 3 == 30 ? 4
                                               : 0;
    if (size == 0 || at + size > text.size()) return false;
    unsigned value = size == 1 ? lead : lead & (0xff >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
      if (byte(i) >> 6 != 2) return false;
      value = value << 6 | (byte(i) & 0x3f);
    }
    static constexpr unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < kLeast[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
      return false;
    at += size;
  }
  return true;
}

TEST(Utf8, EverySequenceOfThreeBytesIsJudgedAsTheStandardSays) {
  for (unsigned value = 0; value < 0x1000000; value += 1) {
    // Leads below 0xc0 are all alike: a few of them are enough.
    if ((value >> 16) < 0xc0 && (value & 0x3f) != 0x11) continue;
    const std::string text{static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                           static_cast<char>(value)};
    ASSERT_EQ(is_utf8(text), plainly_valid(text)) << std::hex << value;
  }
}

TEST(Utf8, FourByteSequencesHaveTheirLimits) {
  EXPECT_TRUE(is_utf8("\xf0\x90\x80\x80"));
  EXPECT_FALSE(is_utf8("\xf0\x8f\xbf\xbf"));
  EXPECT_TRUE(is_utf8("\xf4\x8f\xbf\xbf"));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(is_utf8("\xf5\x80\x80\x80"));
}

TEST(Utf8, AWrongByteIsFoundBeforeItsSequenceIsWhole) {
  Utf8Checker checker;
  EXPECT_TRUE(checker.feed("\xed"));
  EXPECT_FALSE(checker.feed("\xa0"));  // a surrogate, known from its second byte
}

TEST(Utf8, SplitsChangeNothingAndAsciiIsKnown) {
  const std::string text = "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5 end";
  for (std::size_t split = 0; split <= text.size(); ++split) {
    Utf8Checker checker;
    ASSERT_TRUE(checker.feed(text.substr(0, split)));
    ASSERT_TRUE(checker.feed(text.substr(split)));
    EXPECT_TRUE(checker.complete());
    EXPECT_FALSE(checker.ascii());
  }
  Utf8Checker ascii;
  EXPECT_TRUE(ascii.feed(std::string(1000, 'a')));
  EXPECT_TRUE(ascii.ascii());
}

TEST(Utf8, TheAsciiPrefixEndsAtTheFirstHighByteWhereverItIs) {
  for (std::size_t at = 0; at < 100; ++at) {
    std::string text(100, 'x');
    EXPECT_EQ(ascii_prefix(text), 100U);
    text[at] = '\x80';
    EXPECT_EQ(ascii_prefix(text), at);
  }
}

TEST(Unmask, EveryLengthAndPhaseIsTheByteWiseXor) {
  const unsigned char key[4] = {0x12, 0x9a, 0x00, 0xff};
  std::uint32_t mask;
  std::memcpy(&mask, key, 4);
  for (std::size_t size = 0; size < 80; ++size) {
    for (unsigned phase = 0; phase < 4; ++phase) {
      std::string bytes(size, 'q'), expected = bytes;
      for (std::size_t i = 0; i < size; ++i)
        expected[i] = static_cast<char>(expected[i] ^ key[(i + phase) & 3]);
      unmask(bytes.data(), size, mask, phase);
      ASSERT_EQ(bytes, expected) << size << " at phase " << phase;
    }
  }
}

}  // namespace
}  // namespace hearth::net
