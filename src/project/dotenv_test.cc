#include "project/dotenv.h"

#include <gtest/gtest.h>

namespace hearth::project {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs(std::vector<DotenvEntry> entries) {
  Pairs out;
  for (DotenvEntry& entry : entries) out.emplace_back(std::move(entry.key), std::move(entry.value));
  return out;
}
Pairs parsed(std::string_view text) {
  return pairs(parse_dotenv(text));
}

TEST(Dotenv, PlainValuesAreTrimmedAndCommentsEndThem) {
  EXPECT_EQ(
      parsed("A=1\n  B =  two words  \r\nC=\n# D=4\nE=x # note\nF=a#b\n\nG: yaml\n"),
      (Pairs{{"A", "1"}, {"B", "two words"}, {"C", ""}, {"E", "x"}, {"F", "a"}, {"G", "yaml"}}));
}

TEST(Dotenv, ExportIsAllowedAndIsAKeyTooWhenAlone) {
  EXPECT_EQ(parsed("export A=1\nexport=2\n"), (Pairs{{"A", "1"}, {"export", "2"}}));
}

TEST(Dotenv, QuotesKeepSpacesAndHashesAndOnlyDoubleOnesKnowEscapes) {
  EXPECT_EQ(parsed("A=\" x # y \"\nB=' a\\nb '\nC=\"a\\nb\\rc\\td\"\nD=`'\"`\nE=\"a\\\"b\"\n"),
            (Pairs{{"A", " x # y "},
                   {"B", " a\\nb "},
                   {"C", "a\nb\rc\\td"},
                   {"D", "'\""},
                   {"E", "a\\\"b"}}));
}

TEST(Dotenv, QuotedValuesMaySpanLines) {
  EXPECT_EQ(parsed("KEY=\"-----BEGIN\nabc\n-----END\" # pem\nNEXT='1\n2'\nLAST=3"),
            (Pairs{{"KEY", "-----BEGIN\nabc\n-----END"}, {"NEXT", "1\n2"}, {"LAST", "3"}}));
}

TEST(Dotenv, AQuoteThatIsNeverClosedIsPartOfTheValue) {
  EXPECT_EQ(parsed("A='abc\nB=2\nC=\"x\" y\n"),
            (Pairs{{"A", "'abc"}, {"B", "2"}, {"C", "\"x\" y"}}));
}

TEST(Dotenv, TheLaterOfTwoEntriesCountsWithItsPlace) {
  const auto entries = parse_dotenv("A=1\nB=2\n  A=3\n");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[1].key, "A");
  EXPECT_EQ(entries[1].value, "3");
  EXPECT_EQ(entries[1].at.line, 3u);
  EXPECT_EQ(entries[1].at.column, 3u);
}

TEST(Dotenv, WhatIsNoEntryIsSkipped) {
  EXPECT_EQ(parsed("just words\n=x\n:\nA\nB = 1\n!C=2\nD:x\n"), (Pairs{{"B", "1"}}));
}

TEST(Dotenv, ReferencesAreExpandedOnceAndCyclesEnd) {
  auto entries = parse_dotenv(
      "HOST=db\nURL=http://${HOST}:$PORT/\nPORT=80\nNONE=${MISSING:-other}\nGONE=[$MISSING]\n"
      "COST=5\\$\nLOOP=a${LOOP}\nX=$Y\nY=${X}\nODD=$ ${ $-\n");
  expand_references(entries, {{"LOOP", "outer", {}}});
  EXPECT_EQ(pairs(entries), (Pairs{{"HOST", "db"},
                                   {"URL", "http://db:80/"},
                                   {"PORT", "80"},
                                   {"NONE", "other"},
                                   {"GONE", "[]"},
                                   {"COST", "5$"},
                                   {"LOOP", "aouter"},
                                   {"X", ""},
                                   {"Y", ""},
                                   {"ODD", "$ ${ $-"}}));
}

TEST(Dotenv, ExpansionIsBounded) {
  std::string text;
  for (int i = 0; i < 30; ++i) {
    text += "K" + std::to_string(i) + "=";
    for (int j = 0; j < 30; ++j) text += "x$K" + std::to_string(i + 1);
    text += "\n";
  }
  auto entries = parse_dotenv(text);
  expand_references(entries);
  for (const DotenvEntry& entry : entries) EXPECT_LT(entry.value.size(), 1024u * 1024u);
}

TEST(Dotenv, TellsOfLinesThatItSkips) {
  std::vector<std::uint32_t> skipped;
  const auto entries = parse_dotenv("# a comment\nA=1\nOPENAI_KEY abc\n\n=x\nB: 2\n", &skipped);
  EXPECT_EQ(entries.size(), 2u);
  EXPECT_EQ(skipped, (std::vector<std::uint32_t>{3, 5}));
}

}  // namespace
}  // namespace hearth::project
