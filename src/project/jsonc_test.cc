#include "project/jsonc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace hearth::project {
namespace {

using testing::HasSubstr;

Value parsed(std::string_view text) {
  Result<ParsedConfig> result = parse_jsonc(text, "wrangler.jsonc");
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
  return result.ok() ? result->root : Value{};
}

std::string fault(std::string_view text) {
  Result<ParsedConfig> result = parse_jsonc(text, "w.jsonc");
  return result.ok() ? "" : result.error().message;
}

TEST(Jsonc, CommentsAndTrailingCommasAreRead) {
  const Value root = parsed(R"(// first
    { /* a, "b": */ "list": [1, 2.5, -3, true, null, "x//y",], // end
      "text": "with \"quotes\", /* no comment */ and é", "o": { "e": {}, "l": [], }, })");
  EXPECT_EQ(to_json(root).dump(),
            R"({"list":[1,2.5,-3,true,null,"x//y"],)"
            R"("text":"with \"quotes\", /* no comment */ and é","o":{"e":{},"l":[]}})");
}

TEST(Jsonc, AByteOrderMarkIsSkipped) {
  EXPECT_TRUE(parsed("\xEF\xBB\xBF{\"a\":1}").is_object());
}

TEST(Jsonc, EveryValueAndKeyKnowsItsPlace) {
  const Value root = parsed("{\n  // note\n  \"a\": [\n    1, {\"b\": \"x\"}\n  ]\n}");
  const Member* a = root.find_member("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->at.line, 3u);
  EXPECT_EQ(a->at.column, 3u);
  EXPECT_EQ(a->value.at.column, 8u);
  const Value& inner = a->value.items.at(1);
  EXPECT_EQ(inner.at.line, 4u);
  EXPECT_EQ(inner.at.column, 8u);
  EXPECT_EQ(inner.find("b")->at.column, 14u);
}

TEST(Jsonc, OfAKeyGivenTwiceTheLaterCountsAndBothPlacesAreKept) {
  Result<ParsedConfig> result = parse_jsonc("{\"a\": {\"x\": 1},\n\"b\": 2,\n \"a\": 3}", "w");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(to_json(result->root).dump(), R"({"b":2,"a":3})");
  ASSERT_EQ(result->duplicates.size(), 1u);
  EXPECT_EQ(result->duplicates[0].first.line, 1u);
  EXPECT_EQ(result->duplicates[0].second.line, 3u);
  EXPECT_EQ(result->root.find_member("a")->value.at.line, 3u);
}

TEST(Jsonc, AMissingCommaIsToldAfterItsLine) {
  EXPECT_EQ(fault("{\n  \"name\": \"x\"\n  \"main\": \"y\"\n}"),
            "w.jsonc:3:3: comma missing after line 2 (after \"x\") (C101)");
  EXPECT_THAT(fault("{\"a\": [1 2]}"), HasSubstr("comma missing after line 1 (after \"1\")"));
  EXPECT_THAT(fault("{\"a\": {}\n\"b\": 1}"), HasSubstr("w.jsonc:2:1: comma missing after line 1"));
}

TEST(Jsonc, AFragmentWithoutBracesIsNamed) {
  EXPECT_THAT(fault("\"durable_objects\": {\n  \"bindings\": []\n},\n\"migrations\": []"),
              HasSubstr("w.jsonc:1:1: this is the inside of an object without its braces"));
  EXPECT_THAT(fault("\"a\": 1"), HasSubstr("(C102)"));
}

TEST(Jsonc, OtherFaultsAreWordedForAReader) {
  EXPECT_THAT(fault(""), HasSubstr("the file is empty"));
  EXPECT_THAT(fault("{ name: 1 }"), HasSubstr("1:3: keys are written in double quotes: \"name\""));
  EXPECT_THAT(fault("{ 'name': 1 }"), HasSubstr("1:3: strings are written in double quotes"));
  EXPECT_THAT(fault("{\"a\": hello}"), HasSubstr("\"hello\" is no value"));
  EXPECT_THAT(fault("{\"a\" 1}"), HasSubstr("after the key \"a\" a colon and a value"));
  EXPECT_THAT(fault("{\"a\": }"), HasSubstr("a value is missing before \"}\""));
  EXPECT_THAT(fault("{\"a\": 1,, \"b\": 2}"), HasSubstr("there is a comma too many"));
  EXPECT_THAT(fault("{\"a\": [1}"), HasSubstr("the [ of line 1 is closed by ], not by }"));
  EXPECT_THAT(fault("{\n\"a\": {\n\"b\": 1\n}\n"), HasSubstr("the { of line 1 is never closed"));
  EXPECT_THAT(fault("{\"a\": \"x\n\"}"), HasSubstr("1:7: this string has no closing quote"));
  EXPECT_THAT(fault("{\"a\": 1} }"), HasSubstr("1:10: the object ends before this"));
  EXPECT_THAT(fault("{ /* never"), HasSubstr("1:3: this comment is never closed"));
  EXPECT_THAT(fault("{\"a\": 01}"), HasSubstr("is not a number that JSON allows"));
  EXPECT_THAT(fault("{\"a\": \"\\q\"}"), HasSubstr("1:7: this string holds an escape"));
  EXPECT_THAT(fault("{,}"), HasSubstr("there is a comma too many"));
  EXPECT_THAT(fault("[,]"), HasSubstr("a value is missing before \",\""));
}

TEST(Jsonc, DepthIsBounded) {
  EXPECT_THAT(fault(std::string(200, '[')), HasSubstr("deeper than 100"));
  EXPECT_EQ(fault(std::string(100, '[') + std::string(100, ']')), "");
}

}  // namespace
}  // namespace hearth::project
