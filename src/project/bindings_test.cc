#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/test_project.h"

namespace hearth::project {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Bindings, AClassWithoutAMigrationIsServedWithSqlAndTold) {
  TestProject files;
  const Project project = files.load_jsonc(bound("CoderAgent", "CoderAgent"));
  EXPECT_TRUE(project.namespaces[0].sqlite);
  EXPECT_FALSE(project.namespaces[0].migrated);
  EXPECT_THAT(
      warnings(project, "C114"),
      HasSubstr(R"("migrations": [{ "tag": "v1", "new_sqlite_classes": ["CoderAgent"] }])"));
}

TEST(Bindings, MigrationsApplyInOrder) {
  TestProject files;
  const Project project = files.load_jsonc(bound("New", "New", R"(, "migrations": [
      { "tag": "v1", "new_classes": ["Kv"], "new_sqlite_classes": ["Old", "Gone"] },
      { "tag": "v2", "renamed_classes": [{ "from": "Old", "to": "New" }], "deleted_classes": ["Gone"] }])"));
  ASSERT_EQ(project.namespaces.size(), 2u);
  EXPECT_EQ(project.namespaces[0].class_name, "New");
  EXPECT_TRUE(project.namespaces[0].sqlite);
  EXPECT_TRUE(project.namespaces[0].migrated);
  EXPECT_EQ(project.namespaces[1].class_name, "Kv");
  EXPECT_FALSE(project.namespaces[1].sqlite);
  ASSERT_EQ(project.migrations.size(), 2u);
  EXPECT_EQ(project.migrations[1].renamed_classes[0],
            (std::pair<std::string, std::string>("Old", "New")));
  EXPECT_THAT(warnings(project, "C115"), HasSubstr("\"Kv\""));
  EXPECT_EQ(warnings(project, "C116"), "");
}

TEST(Bindings, ContradictionsInMigrationsAreTold) {
  TestProject files;
  const Project project = files.load_jsonc(bound("Gone", "Gone", R"(, "migrations": [
      { "tag": "v1", "new_sqlite_classes": ["Gone"] },
      { "tag": "v1", "deleted_classes": ["Gone", "Never"], "renamed_classes": [{ "from": "Who", "to": "What" }] }])"));
  EXPECT_THAT(
      warnings(project, "C116"),
      AllOf(HasSubstr("tag \"v1\" is used twice"), HasSubstr("\"Never\", which no migration made"),
            HasSubstr("renames \"Who\""), HasSubstr("\"Gone\", which a migration has deleted")));
}

TEST(Bindings, ABindingToARenamedClassNamesThePresentOne) {
  TestProject files;
  const Project project = files.load_jsonc(bound("Old", "Old", R"(, "migrations": [
      { "tag": "v1", "new_sqlite_classes": ["Old"] },
      { "tag": "v2", "renamed_classes": [{ "from": "Old", "to": "New" }] }])"));
  EXPECT_THAT(warnings(project, "C116"), HasSubstr("renamed to \"New\""));
}

TEST(Bindings, DeclarativeExportsStandInForMigrations) {
  TestProject files;
  const Project project = files.load_jsonc(bound("A", "A", R"(, "exports": {
      "A": { "type": "durable-object", "storage": "sqlite" },
      "B": { "type": "durable-object", "storage": "legacy-kv" },
      "C": { "type": "durable-object", "state": "deleted" },
      "W": { "type": "worker" } })"));
  ASSERT_EQ(project.namespaces.size(), 2u);
  EXPECT_TRUE(project.namespaces[0].migrated && project.namespaces[0].sqlite);
  EXPECT_FALSE(project.namespaces[1].sqlite);
  EXPECT_EQ(warnings(project, "C114"), "");
}

TEST(Bindings, TwoBindingsOfOneClassShareItsNamespace) {
  TestProject files;
  const Project project = files.load_jsonc(with(R"("durable_objects": { "bindings": [
      { "name": "A", "class_name": "Agent1" }, { "name": "B", "class_name": "Agent1" } ] })"));
  EXPECT_EQ(project.namespaces.size(), 1u);
  EXPECT_EQ(project.bindings[1].name_space, 0);
}

TEST(Bindings, RoutesThatClashOrThatNoClientAsksForAreTold) {
  TestProject files;
  Project project = files.load_jsonc(with(R"("durable_objects": { "bindings": [
      { "name": "CoderAgent", "class_name": "CoderAgent" },
      { "name": "CODER_AGENT", "class_name": "CoderAgent" } ] })"));
  EXPECT_THAT(warnings(project, "C106"), HasSubstr("the same route, /agents/coder-agent/:name"));
  project = files.load_jsonc(bound("Coder_Agent", "CoderAgent"));
  EXPECT_THAT(warnings(project, "C107"),
              AllOf(HasSubstr("/agents/coder--agent/:name, which no client asks for"),
                    HasSubstr("named \"CoderAgent\"")));
  // The seeds' own fault.
  project = files.load_jsonc(bound("coderagent", "CoderAgent"));
  EXPECT_THAT(warnings(project, "C107"),
              AllOf(HasSubstr("served at /agents/coderagent/:name"),
                    HasSubstr("asks for /agents/coder-agent/:name: use agent: \"coderagent\"")));
}

TEST(Bindings, WithoutAgentsASnippetIsOffered) {
  TestProject files;
  EXPECT_THAT(warnings(files.load_jsonc(with("\"vars\": {}")), "C108"),
              HasSubstr("\"durable_objects\": { \"bindings\""));
}

TEST(Bindings, AnotherWorkersClassOrServiceIsToldByName) {
  TestProject files;
  const Project project = files.load_jsonc(with(R"("durable_objects": { "bindings": [
      { "name": "Other", "class_name": "X", "script_name": "elsewhere" },
      { "name": "Own", "class_name": "X", "script_name": "w" } ] },
      "services": [{ "binding": "SELF", "service": "w", "entrypoint": "Admin", "props": {"a": 1} },
                   { "binding": "AWAY", "service": "elsewhere" }])"));
  EXPECT_EQ(project.bindings.size(), 1u);
  ASSERT_EQ(project.foreign.size(), 2u);
  EXPECT_EQ(project.foreign[0].class_name, "X");
  EXPECT_EQ(binding(project, "Other")["worker"], "elsewhere");
  EXPECT_EQ(binding(project, "SELF"), nlohmann::json({{"type", "service"},
                                                      {"name", "SELF"},
                                                      {"service", "w"},
                                                      {"entrypoint", "Admin"},
                                                      {"props", {{"a", 1}}}}));
  EXPECT_EQ(project.foreign[1].worker, "elsewhere");
  EXPECT_THAT(warnings(project, "C117"), AllOf(HasSubstr("\"Other\""), HasSubstr("\"AWAY\"")));
}

TEST(Bindings, ANameBoundTwiceIsToldWithBothLines) {
  TestProject files;
  const Project project = files.load_jsonc(
      with("\n\"vars\": { \"X\": 1 },\n\"kv_namespaces\": [{ \"binding\": \"X\" }]"));
  EXPECT_THAT(warnings(project, "C105"),
              AllOf(HasSubstr("\"X\" is bound twice"), HasSubstr("line 3")));
  EXPECT_THAT(warnings(files.load_jsonc(with("\"vars\": {},\n\"vars\": {}")), "C105"),
              HasSubstr("\"vars\" is given twice: here and in line 1"));
}

}  // namespace
}  // namespace hearth::project
