#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "project/project.h"
#include "project/test_project.h"

namespace hearth::project {
namespace {

TEST(UrlSegment, EqualsWhatTheSdkMakesOfEveryNameInTheTable) {
  std::ifstream table(HEARTH_PROJECT_TESTDATA "/url_segments.tsv");
  ASSERT_TRUE(table.is_open());
  std::size_t rows = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t tab = line.find('\t');
    ASSERT_NE(tab, std::string::npos) << line;
    EXPECT_EQ(url_segment(line.substr(0, tab)), line.substr(tab + 1)) << line;
    ++rows;
  }
  EXPECT_GT(rows, 40u);
}

// Six ways to write a binding against the four URLs that clients ask for. Each binding is reached
// at one of them at most, and where that is not where a client with the class's name asks, a
// warning says so.
TEST(UrlSegment, OfSixWaysToWriteABindingMeetsAtMostOneOfFourUrls) {
  const std::vector<std::string> urls{"CoderAgent", "coder-agent", "coderagent", "coder_agent"};
  const std::vector<std::pair<std::string, std::string>> bindings{
      {"CoderAgent", "coder-agent"}, {"CODER_AGENT", "coder-agent"}, {"coder_agent", "coder-agent"},
      {"coderagent", "coderagent"},  {"CODERAGENT", "coderagent"},   {"Coder_Agent", ""},
  };
  TestProject files;
  for (const auto& [name, served] : bindings) {
    const Project project = files.load_jsonc(bound(name, "CoderAgent"));
    ASSERT_EQ(project.bindings.size(), 1u) << name;
    for (const std::string& url : urls) {
      EXPECT_EQ(project.bindings[0].url_segment == url, url == served) << name << " at " << url;
    }
    EXPECT_EQ(warnings(project, "C107").empty(), served == "coder-agent") << name;
  }
}

}  // namespace
}  // namespace hearth::project
