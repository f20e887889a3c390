#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "project/project.h"

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

}  // namespace
}  // namespace hearth::project
