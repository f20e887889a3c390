#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/test_project.h"

namespace hearth::project {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Variables, AnyJsonIsAValueAndSecretsAndTheCommandLineOverrideIt) {
  TestProject files;
  files.write(".dev.vars", "A=\"from file\"\nSECRET=s\n");
  files.write(".env", "IGNORED=1\n");
  files.options.vars = {{"SECRET", "cli"}, {"NEW", "n:1"}};
  const Project project =
      files.load_jsonc(with(R"("vars": { "A": "a", "O": { "deep": [1, null, 2.5] }, "N": 3 })"));
  EXPECT_EQ(binding(project, "A"),
            nlohmann::json({{"type", "secret"}, {"name", "A"}, {"value", "from file"}}));
  EXPECT_EQ(binding(project, "O")["value"].dump(), R"({"deep":[1,null,2.5]})");
  EXPECT_EQ(binding(project, "N")["value"], 3);
  EXPECT_EQ(binding(project, "SECRET")["value"], "cli");
  EXPECT_EQ(binding(project, "NEW")["value"], "n:1");
  EXPECT_TRUE(binding(project, "IGNORED").is_null());
}

TEST(Variables, AnEnvironmentsDevVarsStandAlone) {
  TestProject files;
  files.options.environment = "p";
  files.write(".dev.vars", "A=top\nB=top\n");
  files.write(".dev.vars.p", "A=p\n");
  const Project project = files.load_jsonc(with(R"("env": { "p": {} })"));
  EXPECT_EQ(binding(project, "A")["value"], "p");
  EXPECT_TRUE(binding(project, "B").is_null());
}

TEST(Variables, DotEnvFilesMergeByTheirPrecedence) {
  TestProject files;
  files.options.environment = "p";
  files.write(".env", "A=1\nB=1\nC=1\nD=1\nURL=http://$A\n");
  files.write(".env.local", "B=2\nC=2\nD=2\n");
  files.write(".env.p", "C=3\nD=3\n");
  files.write(".env.p.local", "D=4\n");
  const Project project = files.load_jsonc(with(R"("env": { "p": {} })"));
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"A", "1"}, {"B", "2"}, {"C", "3"}, {"D", "4"}, {"URL", "http://1"}}) {
    EXPECT_EQ(binding(project, name)["value"], value) << name;
  }
  EXPECT_THAT(project.files, testing::Contains(files.root / ".env.p.local"));
}

TEST(Variables, RequiredSecretsAreLookedForEverywhereAndTheirAbsenceIsTold) {
  TestProject files;
  files.write(".dev.vars", "A=a\nUNLISTED=x\nEMPTY=\n");
  files.environment["FROM_PROCESS"] = "p";
  const Project project = files.load_jsonc(
      with(R"("secrets": { "required": ["A", "FROM_PROCESS", "EMPTY", "GONE"] })"));
  EXPECT_EQ(binding(project, "A")["value"], "a");
  EXPECT_EQ(binding(project, "FROM_PROCESS")["value"], "p");
  EXPECT_TRUE(binding(project, "UNLISTED").is_null());
  EXPECT_THAT(warnings(project, "S303"), HasSubstr("\"EMPTY\" is empty"));
  EXPECT_THAT(warnings(project, "C118"), HasSubstr("\"GONE\" is not set: add GONE=… to .dev.vars"));
}

TEST(Variables, ALineThatIsNoEntryIsToldWithoutWhatItHolds) {
  TestProject files;
  files.write(".dev.vars", "A=a\nOPENAI_KEY s3cret\n");
  const std::string told = warnings(files.load_jsonc(with("")), "C118");
  EXPECT_THAT(told, HasSubstr(".dev.vars: line 2 is no NAME=value"));
  EXPECT_THAT(told, testing::Not(HasSubstr("s3cret")));
}

TEST(Ai, TheKeyIsFoundInItsOrderAndItsAbsenceIsTold) {
  TestProject files;
  const std::string config = with(R"("ai": { "binding": "AI" })");
  Project project = files.load_jsonc(config);
  EXPECT_EQ(binding(project, "AI")["type"], "ai");
  EXPECT_EQ(worker(project)["ai"]["key"], "");
  EXPECT_EQ(worker(project)["ai"]["keyName"], "OPENROUTER_API_KEY");
  EXPECT_THAT(warnings(project, "C118"),
              AllOf(HasSubstr("env.AI"), HasSubstr("OPENROUTER_API_KEY=… to .dev.vars")));

  files.environment["OPENAI_API_KEY"] = "o";
  EXPECT_EQ(worker(files.load_jsonc(config))["ai"]["baseUrl"], "https://api.openai.com/v1");
  files.environment["OPENROUTER_API_KEY"] = "r";
  project = files.load_jsonc(config);
  EXPECT_EQ(worker(project)["ai"]["key"], "r");
  EXPECT_EQ(worker(project)["ai"]["baseUrl"], "https://openrouter.ai/api/v1");
  EXPECT_EQ(warnings(project, "C118"), "");
  files.write(".dev.vars", "OPENROUTER_API_KEY=file\n");
  EXPECT_EQ(worker(files.load_jsonc(config))["ai"]["key"], "file");
  files.environment["HEARTH_AI_BASE_URL"] = "http://127.0.0.1:11434/v1";
  project = files.load_jsonc(config);
  EXPECT_EQ(
      worker(project)["ai"],
      nlohmann::json({{"baseUrl", "http://127.0.0.1:11434/v1"}, {"keyName", ""}, {"key", ""}}));
}

TEST(Ai, ModelsGetOtherNamesFromJsonOrPairs) {
  TestProject files;
  const auto models = [&](const std::string& text) {
    files.environment["HEARTH_AI_MODELS"] = text;
    return files.load_jsonc(with(R"("ai": { "binding": "AI" })"));
  };
  const nlohmann::json expected{{"@cf/a", "b"}, {"*", "c/d"}};
  EXPECT_EQ(worker(models(R"({"@cf/a": "b", "*": "c/d"})"))["ai"]["models"], expected);
  EXPECT_EQ(worker(models("@cf/a=b, *=c/d"))["ai"]["models"], expected);
  for (const char* wrong : {"nothing", "{\"a\": 1}", "{\"a\"", "=b"}) {
    EXPECT_THAT(warnings(models(wrong), "C104"), HasSubstr("HEARTH_AI_MODELS")) << wrong;
  }
}

TEST(Ai, WithoutABindingNothingIsAskedFor) {
  TestProject files;
  EXPECT_EQ(warnings(files.load_jsonc(with("\"vars\": {}")), "C118"), "");
}

}  // namespace
}  // namespace hearth::project
