// The catalogue and its documentation, and the edits that mend a configuration.
#include "project/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "project/finding.h"
#include "project/test_project.h"

namespace hearth::project {
namespace {

using testing::HasSubstr;

TEST(Catalogue, HasEachCodeOnceWithACauseAndACure) {
  std::set<std::string_view> codes;
  for (const Diagnostic& each : all_diagnostics()) {
    EXPECT_TRUE(codes.insert(each.code).second) << each.code;
    EXPECT_TRUE(each.cause.ends_with('.')) << each.code;
    EXPECT_TRUE(each.cure.ends_with('.')) << each.code;
    EXPECT_FALSE(each.title.ends_with('.')) << each.code;
  }
  EXPECT_GE(codes.size(), 46u);
}

TEST(Catalogue, FindsACodeInAnyLetterCase) {
  ASSERT_NE(find_diagnostic("b204"), nullptr);
  EXPECT_EQ(find_diagnostic("b204")->code, "B204");
  EXPECT_EQ(find_diagnostic("B999"), nullptr);
  EXPECT_EQ(find_diagnostic(""), nullptr);
  EXPECT_THAT(explain(*find_diagnostic("C107")), HasSubstr("docs/diagnostics.md#c107"));
}

std::string text_of(const char* path) {
  std::ifstream file(path);
  std::stringstream stream;
  stream << file.rdbuf();
  return stream.str();
}

// The catalogue is the end of the file. HEARTH_UPDATE_DOCS=1 writes it anew.
TEST(Catalogue, IsWhatTheDocumentationHolds) {
  std::string text = text_of(HEARTH_DIAGNOSTICS_DOC);
  const std::size_t start = text.find("## The configuration\n");
  ASSERT_NE(start, std::string::npos);
  if (std::getenv("HEARTH_UPDATE_DOCS") != nullptr) {
    text = text.substr(0, start) + diagnostics_as_markdown();
    std::ofstream(HEARTH_DIAGNOSTICS_DOC) << text;
  }
  EXPECT_EQ(text.substr(start), diagnostics_as_markdown())
      << "docs/diagnostics.md is out of step: run this test with HEARTH_UPDATE_DOCS=1";
}

TEST(Catalogue, IsWhatTheRuntimeSays) {
  if (std::getenv("HEARTH_UPDATE_DOCS") != nullptr) {
    std::ofstream(HEARTH_RUNTIME_CATALOGUE) << diagnostics_as_typescript();
  }
  EXPECT_EQ(text_of(HEARTH_RUNTIME_CATALOGUE), diagnostics_as_typescript())
      << "the runtime's catalogue is out of step: run this test with HEARTH_UPDATE_DOCS=1";
}

TEST(Diff, ShowsWhatChangesWithTwoLinesAround) {
  EXPECT_EQ(unified_diff("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nD\ne\nf\n", "x"),
            "--- a/x\n+++ b/x\n@@ -2,5 +2,5 @@\n b\n c\n-d\n+D\n e\n f\n");
  EXPECT_EQ(unified_diff("a\n", "a\n", "x"), "");
  EXPECT_THAT(unified_diff("a", "a\nb\n", "x"),
              HasSubstr("-a\n\\ No newline at end of file\n+a\n"));
  EXPECT_EQ(unified_diff("", "a\n", "x"), "--- /dev/null\n+++ b/x\n@@ -0,0 +1,1 @@\n+a\n");
}

TEST(Diff, PartsChangesThatLieFarFromEachOther) {
  const std::string diff =
      unified_diff("a\nb\nc\nd\ne\nf\ng\nh\ni\n", "A\nb\nc\nd\ne\nf\ng\nh\nI\n", "x");
  EXPECT_THAT(diff,
              HasSubstr("@@ -1,3 +1,3 @@\n-a\n+A\n b\n c\n@@ -7,3 +7,3 @@\n g\n h\n-i\n+I\n"));
}

// What is found once the edits of the finding with `code` are applied, as codes.
std::string mended(TestProject& files, std::string_view jsonc, std::string_view code) {
  files.write("wrangler.jsonc", jsonc);
  const Inspection before = inspect(files.options);
  for (const Finding& each : before.findings) {
    if (each.code != code) continue;
    EXPECT_FALSE(each.edits.empty()) << code;
    EXPECT_TRUE(apply(each.edits)) << code;
    std::string codes;
    for (const Finding& left : inspect(files.options).findings) codes += left.code + " ";
    return codes;
  }
  return "never found";
}

TEST(ConfigEdits, MendWhatTheyAreFor) {
  TestProject files;
  const std::string migrated = R"(, "migrations": [{ "tag": "v1", "new_sqlite_classes": ["A"] }])";
  EXPECT_EQ(mended(files, bound("A", "A"), "C114"), "");
  EXPECT_EQ(mended(files, bound("B", "B", migrated), "C114"), "");
  EXPECT_EQ(mended(files, bound("B", "B", ",\n  \"migrations\": [\n  ],\n"), "C114"), "");
  EXPECT_EQ(mended(files, bound("a_b", "A", migrated), "C107"), "");
  EXPECT_EQ(mended(files, bound("A", "A", migrated + ", \"comptibility_flags\": []"), "C103"), "");
  EXPECT_EQ(mended(files, with(migrated.substr(2)), "C108"), "");
  EXPECT_EQ(
      mended(files, bound("A", "A", R"(, "migrations": [{ "tag": "v1", "new_classes": ["A"] }])"),
             "C115"),
      "");
  EXPECT_EQ(mended(files, "{ \"name\": \"w\" // the name\n \"main\": \"src/server.ts\" }", "C101"),
            "C108 C113 ");
  EXPECT_EQ(mended(files, "\"name\": \"w\",\n\"main\": \"src/server.ts\",\n", "C102"),
            "C108 C113 ");
}

TEST(ConfigEdits, KeepCommentsAndLayout) {
  TestProject files;
  files.write("wrangler.jsonc",
              "{\n  // mine\n  \"name\": \"w\",\n  \"main\": \"src/server.ts\",\n"
              "  \"compatibility_date\": \"2026-01-01\",\n  \"durable_objects\": { \"bindings\": "
              "[{ \"name\": \"A\", \"class_name\": \"A\" }] } // last\n}\n");
  const Inspection found = inspect(files.options);
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_EQ(
      diff_of(found.findings[0].edits, files.root),
      "--- a/wrangler.jsonc\n+++ b/wrangler.jsonc\n@@ -4,4 +4,5 @@\n"
      "   \"main\": \"src/server.ts\",\n   \"compatibility_date\": \"2026-01-01\",\n"
      "-  \"durable_objects\": { \"bindings\": [{ \"name\": \"A\", \"class_name\": \"A\" }] } "
      "// last\n"
      "+  \"durable_objects\": { \"bindings\": [{ \"name\": \"A\", \"class_name\": \"A\" }] },\n"
      "+  \"migrations\": [{ \"tag\": \"v1\", \"new_sqlite_classes\": [\"A\"] }] // last\n }\n");
}

TEST(ConfigEdits, MendTomlToo) {
  TestProject files;
  files.write("wrangler.toml",
              "name = \"w\"\nmain = \"src/server.ts\"\ncompatibility_date = \"2026-01-01\"\n"
              "[[durable_objects.bindings]]\nname = \"A\"\nclass_name = \"A\"");
  const Inspection found = inspect(files.options);
  ASSERT_EQ(found.findings.size(), 1u);
  ASSERT_TRUE(apply(found.findings[0].edits));
  EXPECT_TRUE(inspect(files.options).findings.empty());
}

}  // namespace
}  // namespace hearth::project
