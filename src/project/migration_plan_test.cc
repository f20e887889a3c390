#include "project/migration_plan.h"

#include <gmock/gmock.h>

#include "project/test_project.h"

namespace hearth::project {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MigrationPlanTest : public ::testing::Test {
 protected:
  // A project "w" with a binding for each class, and what else is given.
  Project project(const std::vector<std::string>& classes, const std::string& rest = "") {
    std::string bindings;
    for (const std::string& each : classes) {
      bindings += std::string(bindings.empty() ? "" : ", ") + "{ \"name\": \"" + each +
                  "\", \"class_name\": \"" + each + "\" }";
    }
    return files.load_jsonc(
        "{ \"name\": \"w\", \"main\": \"src/server.ts\", \"compatibility_date\": \"2026-01-01\", "
        "\"durable_objects\": { \"bindings\": [" +
        bindings + "] }" + rest + " }");
  }

  // The steps in words, and then `stored` as they leave it.
  std::vector<std::string> plan(const Project& given, const PlanOptions& options = {}) {
    Result<MigrationPlan> planned = plan_migrations(given, stored, options);
    refusal = planned ? "" : planned.error().message;
    if (!planned) return {"refused"};
    last = *planned;
    std::vector<std::string> words;
    for (const MigrationStep& each : last.steps) {
      const char* kinds[] = {"create", "rename", "delete", "transfer"};
      std::string text = kinds[static_cast<int>(each.kind)];
      for (const std::string* part : {&each.from_worker, &each.from_class, &each.to_class}) {
        if (!part->empty()) text += " " + *part;
      }
      words.push_back(text + " " + each.unique_key);
    }
    for (const std::string& tag : last.tags) stored.tags.push_back(tag);
    std::erase_if(stored.classes, [](const auto& each) { return each.worker == "w"; });
    for (const StoredClassState& each : last.classes) {
      std::erase_if(stored.classes,
                    [&](const auto& old) { return old.unique_key == each.unique_key; });
      stored.classes.push_back(each);
    }
    return words;
  }
  void give_agents(const std::string& unique_key, std::uint64_t agents) {
    for (StoredClassState& each : stored.classes) {
      if (each.unique_key == unique_key) each.agents = agents;
    }
  }

  TestProject files;
  StoredState stored;
  MigrationPlan last;
  std::string refusal;
};

constexpr const char* kNew = R"({ "tag": "v1", "new_sqlite_classes": ["A"] })";
constexpr const char* kRenamed =
    R"({ "tag": "v2", "renamed_classes": [{ "from": "A", "to": "B" }] })";

std::string migrations(std::initializer_list<std::string> list) {
  std::string text;
  for (const std::string& each : list) text += (text.empty() ? "" : ", ") + each;
  return ", \"migrations\": [" + text + "]";
}

TEST_F(MigrationPlanTest, AppliesEachTagOnce) {
  EXPECT_THAT(plan(project({"A"}, migrations({kNew}))), ElementsAre("create A w-A"));
  EXPECT_THAT(last.tags, ElementsAre("v1"));
  give_agents("w-A", 3);
  EXPECT_THAT(plan(project({"A"}, migrations({kNew}))), IsEmpty());
  EXPECT_THAT(last.tags, IsEmpty());
  EXPECT_THAT(plan(project({"B"}, migrations({kNew, kRenamed}))), ElementsAre("rename A B w-A"));
  EXPECT_THAT(last.tags, ElementsAre("v2"));
  EXPECT_THAT(last.unique_keys, ElementsAre("w-A"));
  EXPECT_TRUE(last.touches_agents());
  EXPECT_THAT(plan(project({"B"}, migrations({kNew, kRenamed}))), IsEmpty());
  EXPECT_THAT(last.unique_keys, ElementsAre("w-A"));
}

TEST_F(MigrationPlanTest, ANewClassUnderAFormerNameHasAFolderOfItsOwn) {
  plan(project({"A"}, migrations({kNew})));
  give_agents("w-A", 1);
  plan(project({"B"}, migrations({kNew, kRenamed})));
  EXPECT_THAT(
      plan(project({"B", "A"}, migrations({kNew, kRenamed,
                                           R"({ "tag": "v3", "new_sqlite_classes": ["A"] })"}))),
      ElementsAre("create A w-A~2"));
  EXPECT_THAT(last.unique_keys, ElementsAre("w-A", "w-A~2"));
}

TEST_F(MigrationPlanTest, AStateThatIsOlderThanTheRecordIsTakenAsItIs) {
  stored.classes = {{"w", "B", "w-A", 2}, {"w", "C", "w-C", 1}};
  EXPECT_THAT(
      plan(project({"B", "C"},
                   migrations({kNew, kRenamed, R"({ "tag": "v3", "new_sqlite_classes": ["C"] })",
                               R"({ "tag": "v4", "deleted_classes": ["C"] })",
                               R"({ "tag": "v5", "new_sqlite_classes": ["C"] })"}))),
      IsEmpty());
  EXPECT_THAT(last.tags, ElementsAre("v1", "v2", "v3", "v4", "v5"));
  EXPECT_THAT(last.unique_keys, ElementsAre("w-A", "w-C"));
}

TEST_F(MigrationPlanTest, DeletesAgentsOnlyWhenThatIsConfirmed) {
  plan(project({"A"}, migrations({kNew})));
  give_agents("w-A", 2);
  const Project later = project({"C"}, migrations({kNew, R"({ "tag": "v2",
      "deleted_classes": ["A"], "new_sqlite_classes": ["C"] })"}));
  const Result<MigrationPlan> planned = plan_migrations(later, stored);
  ASSERT_TRUE(planned);
  EXPECT_THAT(check_deletions(*planned, {"C"}).error().message,
              AllOf(HasSubstr("S306"), HasSubstr("\"v2\" deletes the class A"),
                    HasSubstr("2 agents"), HasSubstr("--yes-delete A")));
  EXPECT_TRUE(check_deletions(*planned, {"A"}));
  EXPECT_THAT(plan(later), ElementsAre("delete A w-A", "create C w-C"));
  EXPECT_EQ(stored.classes.size(), 1u);
}

TEST_F(MigrationPlanTest, WhatIsMadeAgainInTheSameBreathHasAFolderOfItsOwn) {
  plan(project({"A"}, migrations({kNew})));
  give_agents("w-A", 2);
  EXPECT_THAT(plan(project({"A"}, migrations({kNew, R"({ "tag": "v2", "deleted_classes": ["A"] })",
                                              R"({ "tag": "v3", "new_sqlite_classes": ["A"] })"}))),
              ElementsAre("delete A w-A", "create A w-A~2"));
  stored = {};
  stored.reserved_keys = {"w-A"};
  EXPECT_THAT(plan(project({"A"})), ElementsAre("create A w-A~2"));
}

TEST_F(MigrationPlanTest, TakesAnotherWorkersAgentsOver) {
  stored.classes = {{"old", "A", "old-A", 4}};
  const std::string transfer =
      R"({ "tag": "v1", "transferred_classes": [{ "from": "A", "from_script": "old", "to": "B" }] })";
  EXPECT_THAT(plan(project({"B"}, migrations({transfer}))), ElementsAre("transfer old A B old-A"));
  EXPECT_THAT(last.unique_keys, ElementsAre("old-A"));
  EXPECT_THAT(plan(project({"B"}, migrations({transfer}))), IsEmpty());
  stored = {};
  EXPECT_THAT(plan(project({"B"}, migrations({transfer}))), ElementsAre("create B w-B"));
  EXPECT_THAT(last.warnings, ElementsAre(HasSubstr("hearth state import")));
}

TEST_F(MigrationPlanTest, RefusesToMergeTwoClasses) {
  stored.tags = {"v1"};
  stored.classes = {{"w", "A", "w-A", 1}, {"w", "B", "w-B", 1}};
  plan(project({"B"}, migrations({kNew, kRenamed})));
  EXPECT_THAT(refusal, AllOf(HasSubstr("S304"), HasSubstr("both have agents")));
  give_agents("w-B", 0);
  EXPECT_THAT(plan(project({"B"}, migrations({kNew, kRenamed}))), ElementsAre("rename A B w-A"));
  EXPECT_THAT(last.forgotten, ElementsAre("w-B"));
}

TEST_F(MigrationPlanTest, RefusesAClassThatVanishedWhileAnotherIsNew) {
  stored.classes = {{"w", "A", "w-A", 1}};
  plan(project({"B"}));
  EXPECT_THAT(refusal, AllOf(HasSubstr("S304"), HasSubstr("1 agent of the class A"),
                             HasSubstr("\"from\": \"A\", \"to\": \"B\"")));
  plan(
      project({"B"}, R"(, "exports": { "B": { "type": "durable-object", "storage": "sqlite" } })"));
  EXPECT_THAT(refusal, HasSubstr("\"renamed_to\": \"B\""));
  stored.classes.push_back({"w", "B", "w-B", 0});
  EXPECT_THAT(plan(project({"B"})), IsEmpty()) << "taken out, and none is new";
}

TEST_F(MigrationPlanTest, RefusesAWorkerThatWasRenamed) {
  stored.classes = {{"old", "A", "old-A", 2}};
  plan(project({"A"}));
  EXPECT_THAT(refusal, AllOf(HasSubstr("S304"), HasSubstr("of the worker \"old\""),
                             HasSubstr("name it \"old\" again"), HasSubstr("transferred_classes")));
  EXPECT_THAT(plan(project({"A"}), {.workers = {"old", "w"}}), ElementsAre("create A w-A"));
  stored.classes = {{"old", "Other", "old-Other", 2}};
  EXPECT_THAT(plan(project({"A"})), ElementsAre("create A w-A"));
}

TEST_F(MigrationPlanTest, RefusesAConfigurationThatIsOlderThanTheState) {
  plan(project({"A"}, migrations({kNew})));
  plan(project({"B"}, migrations({kNew, kRenamed})));
  plan(project({"A"}, migrations({kNew})));
  EXPECT_THAT(refusal, AllOf(HasSubstr("S304"), HasSubstr("\"v2\" was applied")));
  plan(project({"B"},
               migrations({R"({ "tag": "v0", "new_sqlite_classes": ["Z"] })", kNew, kRenamed})));
  EXPECT_THAT(refusal, HasSubstr("\"v0\" stands before \"v2\""));
  EXPECT_THAT(plan(project({"B"}, migrations({kRenamed}))), IsEmpty()) << "v1 was tidied away";
  EXPECT_THAT(plan(project({"B"}), {.tolerates_missing_tags = true}), IsEmpty());
  EXPECT_THAT(last.warnings, ElementsAre(HasSubstr("\"v2\" was applied")));
}

TEST_F(MigrationPlanTest, ReconcilesWhatExportsDeclare) {
  const auto exports = [&](std::vector<std::string> bound, const std::string& entries) {
    return project(bound, ", \"exports\": { " + entries + " }");
  };
  const std::string live = R"(: { "type": "durable-object", "storage": "sqlite" })";
  EXPECT_THAT(plan(exports({"A"}, "\"A\"" + live)), ElementsAre("create A w-A"));
  give_agents("w-A", 1);
  const Project renamed = exports(
      {"B"}, "\"B\"" + live +
                 R"(, "A": { "type": "durable-object", "state": "renamed", "renamed_to": "B" })");
  EXPECT_THAT(plan(renamed), ElementsAre("rename A B w-A"));
  EXPECT_THAT(plan(renamed), IsEmpty());
  stored.classes.push_back({"old", "C", "old-C", 1});
  const Project taken = exports({"B", "C"}, "\"B\"" + live + R"(, "C": { "type": "durable-object",
      "state": "expecting-transfer", "storage": "sqlite", "transfer_from": "old" })");
  EXPECT_THAT(plan(taken), ElementsAre("transfer old C C old-C"));
  EXPECT_THAT(plan(taken), IsEmpty());
  const Project gone =
      exports({"D"}, "\"D\"" + live +
                         R"(, "B": { "type": "durable-object", "state": "deleted" },
         "C": { "type": "durable-object", "state": "transferred", "transferred_to": "x" })");
  EXPECT_THAT(plan(gone), ElementsAre("delete B w-A", "create D w-D"));
}

TEST_F(MigrationPlanTest, ExportsAndMigrationsExcludeEachOther) {
  EXPECT_THAT(files.refusal(R"({ "name": "w", "main": "src/server.ts",
                  "compatibility_date": "2026-01-01",
                  "exports": { "A": { "type": "durable-object", "storage": "sqlite" } },
                  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["A"] }] })"),
              HasSubstr("keep one of the two"));
  EXPECT_THAT(files.refusal(R"({ "name": "w", "main": "src/server.ts",
                  "compatibility_date": "2026-01-01",
                  "exports": { "A": { "type": "durable-object", "state": "renamed",
                                      "renamed_to": "B" } } })"),
              HasSubstr("which \"exports\" does not have"));
}

}  // namespace
}  // namespace hearth::project
