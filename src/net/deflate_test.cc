#include "net/deflate.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace hearth::net {
namespace {

constexpr const char* kPlain =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

TEST(DeflateNegotiation, OffersThatBrowsersMakeAreMetWithoutContextTakeover) {
  for (const char* offer :
       {"permessage-deflate", "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10",
        "permessage-deflate; client_max_window_bits=\"12\"",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate;server_no_context_takeover",
        " permessage-deflate ; server_no_context_takeover ; client_max_window_bits ",
        "x-webkit-deflate-frame, permessage-deflate"}) {
    const auto agreement = negotiate_deflate(offer);
    ASSERT_TRUE(agreement) << offer;
    EXPECT_EQ(agreement->response, kPlain) << offer;
    EXPECT_EQ(agreement->server_window_bits, 15);
  }
}

TEST(DeflateNegotiation, AServerWindowIsKeptToAndConfirmed) {
  const auto agreement = negotiate_deflate("permessage-deflate; server_max_window_bits=10");
  ASSERT_TRUE(agreement);
  EXPECT_EQ(agreement->server_window_bits, 10);
  EXPECT_EQ(agreement->response, std::string(kPlain) + "; server_max_window_bits=10");
}

TEST(DeflateNegotiation, AWrongOfferIsPassedOverForTheNext) {
  const auto agreement = negotiate_deflate(
      "permessage-deflate; server_max_window_bits=8, permessage-deflate; unknown=1, "
      "permessage-deflate");
  ASSERT_TRUE(agreement);
  EXPECT_EQ(agreement->response, kPlain);
}

TEST(DeflateNegotiation, OffersThatCannotBeMetAreDeclined) {
  for (const char* offer :
       {"", ",", "deflate", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=", "permessage-deflate; surprise",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; \"unclosed"}) {
    EXPECT_FALSE(negotiate_deflate(offer)) << offer;
  }
}

std::string text_of(std::size_t size) {
  std::string text;
  while (text.size() < size)
    text += "{\"role\":\"user\",\"n\":" + std::to_string(text.size()) + "},";
  text.resize(size);
  return text;
}

TEST(Deflate, WhatIsCompressedInflatesToItselfWithEveryWindow) {
  Deflater deflater;
  Inflater inflater;
  for (int bits = 9; bits <= 15; ++bits) {
    for (const std::size_t size : {64UL, 1024UL, 100'000UL, 3'000'000UL}) {
      const std::string text = text_of(size);
      const auto small = deflater.compress(text, bits);
      ASSERT_TRUE(small) << bits << " " << size;
      EXPECT_LT(small->size(), text.size());
      const auto back = inflater.inflate(*small, size);
      ASSERT_TRUE(back) << back.error().message;
      EXPECT_EQ(*back, text);
    }
  }
}

TEST(Deflate, WhatDoesNotShrinkIsLeftAsItIs) {
  std::mt19937 random(7);
  std::string noise(5000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  Deflater deflater;
  EXPECT_FALSE(deflater.compress(noise, 15));
  EXPECT_FALSE(deflater.compress("ab", 15));
}

TEST(Inflate, AMessageThatGrowsPastTheLimitIsStoppedThere) {
  Deflater deflater;
  Inflater inflater;
  const std::string zeros(64 * 1024 * 1024, '\0');
  const std::string bomb(*deflater.compress(zeros, 15));
  const auto result = inflater.inflate(bomb, 1024 * 1024);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kLimit);
  // Exactly at the limit it passes.
  const std::string text = text_of(50'000);
  const std::string small(*deflater.compress(text, 15));
  EXPECT_TRUE(inflater.inflate(small, 50'000));
  EXPECT_FALSE(inflater.inflate(small, 49'999));
}

TEST(Inflate, TheExamplesOfTheRfcAreRead) {
  Inflater inflater;
  using namespace std::string_view_literals;
  // RFC 7692 sections 7.2.3.1, 7.2.3.3, 7.2.3.4 and 7.2.3.5.
  for (const std::string_view message :
       {"\xf2\x48\xcd\xc9\xc9\x07\x00"sv, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"sv,
        "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"sv,
        "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"sv}) {
    const auto result = inflater.inflate(message, 100);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(*result, "Hello");
  }
  const auto empty = inflater.inflate("\x00"sv, 100);  // section 7.2.3.6
  ASSERT_TRUE(empty);
  EXPECT_EQ(*empty, "");
}

TEST(Inflate, GarbageAndHalfBlocksAreRefused) {
  Inflater inflater;
  using namespace std::string_view_literals;
  for (const std::string_view message :
       {"\xff\xff\xff\xff"sv, "\x06\x00"sv, "\x00\x05\x00\xfa\xff\x48\x65"sv, "\xf2\x48\xcd"sv}) {
    const auto result = inflater.inflate(message, 1000);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInvalid);
  }
}

}  // namespace
}  // namespace hearth::net
