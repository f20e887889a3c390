#include "project/workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/test_project.h"

namespace hearth::project {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kFront = R"({
  "name": "front", "main": "front.ts", "compatibility_date": "2026-01-01",
  "durable_objects": { "bindings": [
    { "name": "OWN", "class_name": "Own" },
    { "name": "Room", "class_name": "Room", "script_name": "back" },
    { "name": "GONE", "class_name": "Gone", "script_name": "back" }
  ] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Own"] }],
  "services": [
    { "binding": "BACK", "service": "back", "entrypoint": "Admin" },
    { "binding": "FAR", "service": "far" }
  ]
})";

constexpr std::string_view kBack = R"({
  "name": "back", "main": "back.ts", "compatibility_date": "2026-01-01",
  "durable_objects": { "bindings": [
    { "name": "OWN", "class_name": "Own", "script_name": "front" },
    { "name": "ROOM", "class_name": "Room" }
  ] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }],
  "triggers": { "crons": ["* * * * *"] }
})";

class Workers : public ::testing::Test {
 protected:
  Workers() {
    files.write("front.ts", "export default {};\n");
    files.write("back.ts", "export default {};\n");
    files.write("wrangler.jsonc", kFront);
    files.write("back.jsonc", kBack);
  }

  LoadOptions options() {
    LoadOptions out = files.options;
    out.others = {files.root / "back.jsonc"};
    return out;
  }

  TestProject files;
};

Json bound_as(const nlohmann::ordered_json& worker, const std::string& name) {
  for (const auto& each : worker["bindings"]) {
    if (each["name"] == name) return Json(each);
  }
  return {};
}

TEST_F(Workers, OneDocumentNumbersTheNamespacesOfAll) {
  const auto all = load_all(options());
  ASSERT_TRUE(all.ok()) << all.error().message;
  ASSERT_EQ(all->size(), 2u);
  const Joined joined = join(*all);
  ASSERT_EQ(joined.namespaces.size(), 2u);
  EXPECT_EQ(joined.namespaces[1].unique_key, "back-Room");
  EXPECT_EQ(joined.namespaces[1].worker, "back");
  EXPECT_EQ(Json(joined.document["namespaces"]),
            Json::parse(R"([{"className":"Own","uniqueKey":"front-Own","sqlite":true},
              {"className":"Room","uniqueKey":"back-Room","sqlite":true,"worker":1}])"));
  EXPECT_EQ(bound_as(joined.document, "Room")["namespace"], 1);
  ASSERT_EQ(joined.document["workers"].size(), 1u);
  const auto& back = joined.document["workers"][0];
  EXPECT_EQ(back["worker"], "back");
  EXPECT_FALSE(back.contains("state"));
  EXPECT_EQ(bound_as(back, "OWN")["namespace"], 0);
  EXPECT_EQ(bound_as(back, "ROOM")["namespace"], 1);
  EXPECT_EQ((*all)[1].crons, std::vector<std::string>{"* * * * *"});
}

TEST_F(Workers, AnObjectOfAnotherWorkerHasARouteOfTheFirst) {
  const auto all = load_all(options());
  ASSERT_TRUE(all.ok()) << all.error().message;
  const Joined joined = join(*all);
  ASSERT_EQ(joined.routes.size(), 2u);
  EXPECT_EQ(joined.routes[1].segment, "room");
  EXPECT_EQ(joined.routes[1].name_space, 1);
}

TEST_F(Workers, WhatIsNotServedIsNamedWithItsCure) {
  const auto all = load_all(options());
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_THAT(all->front().warnings,
              ::testing::ElementsAre(
                  ::testing::AllOf(::testing::HasSubstr("the binding \"GONE\" does not work"),
                                   ::testing::HasSubstr("has no Durable Object class \"Gone\"; it "
                                                        "has Room (C117)")),
                  ::testing::AllOf(::testing::HasSubstr("the binding \"FAR\" does not work"),
                                   ::testing::HasSubstr("served are \"front\", \"back\" only"),
                                   ::testing::HasSubstr("one more -c"))));
  EXPECT_THAT((*all)[1].warnings, ::testing::IsEmpty());
  const Joined joined = join(*all);
  EXPECT_EQ(bound_as(joined.document, "GONE")["type"], "unsupported");
  EXPECT_EQ(bound_as(joined.document, "FAR")["type"], "unsupported");
  EXPECT_EQ(bound_as(joined.document, "BACK")["type"], "service");
}

TEST_F(Workers, AloneAWorkerIsToldOfEachThatItLacks) {
  const auto project = load(files.options);
  ASSERT_TRUE(project.ok()) << project.error().message;
  EXPECT_EQ(project->warnings.size(), 4u);
  EXPECT_EQ(bound_as(join(std::vector<Project>{*project}).document, "Room")["type"], "unsupported");
}

TEST_F(Workers, TwoOfOneNameAreRefused) {
  LoadOptions twice = files.options;
  twice.others = {files.root / "wrangler.jsonc"};
  const auto all = load_all(twice);
  ASSERT_FALSE(all.ok());
  EXPECT_THAT(all.error().message, ::testing::HasSubstr("both name their worker \"front\""));
}

}  // namespace
}  // namespace hearth::project
