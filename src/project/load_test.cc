#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/test_project.h"

namespace hearth::project {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kSeed = R"({
  // The seeds' own shape.
  "name": "coder",
  "main": "src/server.ts",
  "compatibility_date": "2026-01-01",
  "compatibility_flags": ["nodejs_compat"],
  "durable_objects": {
    "bindings": [
      { "name": "CoderAgent", "class_name": "CoderAgent" },
    ],
  },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["CoderAgent"] }],
})";

std::string with(std::string_view members) {
  return R"({ "name": "w", "main": "src/server.ts", "compatibility_date": "2026-01-01", )" +
         std::string(members) + " }";
}
std::string bound(std::string_view name, std::string_view class_name, std::string_view more = "") {
  return with(R"("durable_objects": { "bindings": [{ "name": ")" + std::string(name) +
              R"(", "class_name": ")" + std::string(class_name) + R"(" }] })" + std::string(more));
}

TEST(Load, ReadsTheSeedsProjectWithoutAWarning) {
  TestProject files;
  const Project project = files.load_jsonc(kSeed);
  EXPECT_EQ(project.name, "coder");
  EXPECT_EQ(project.main, files.root / "src/server.ts");
  ASSERT_EQ(project.bindings.size(), 1u);
  EXPECT_EQ(project.bindings[0].url_segment, "coder-agent");
  ASSERT_EQ(project.namespaces.size(), 1u);
  EXPECT_EQ(project.namespaces[0].unique_key, "coder-CoderAgent");
  EXPECT_TRUE(project.namespaces[0].sqlite);
  EXPECT_TRUE(project.namespaces[0].migrated);
  EXPECT_THAT(project.warnings, testing::IsEmpty());

  const auto document = worker(project);
  EXPECT_EQ(document["worker"], "coder");
  EXPECT_EQ(document["mode"], "dev");
  EXPECT_EQ(document["compatibilityFlags"], nlohmann::json({"nodejs_compat"}));
  EXPECT_EQ(document["namespaces"][0], nlohmann::json({{"className", "CoderAgent"},
                                                       {"uniqueKey", "coder-CoderAgent"},
                                                       {"sqlite", true}}));
  EXPECT_EQ(document["bindings"][0],
            nlohmann::json({{"type", "durable_object"}, {"name", "CoderAgent"}, {"namespace", 0}}));
  const auto job = nlohmann::json::parse(project.bundle_job_json);
  EXPECT_EQ(job["root"], files.root.string());
  EXPECT_EQ(job["main"], (files.root / "src/server.ts").string());
  EXPECT_EQ(job["mode"], "dev");
  EXPECT_EQ(job["keepNames"], true);
}

TEST(Load, TomlGivesTheSameProject) {
  TestProject files;
  const Project jsonc = files.load_jsonc(kSeed);
  std::filesystem::remove(files.root / "wrangler.jsonc");
  files.write("wrangler.toml", R"(name = "coder"
main = "src/server.ts"
compatibility_date = 2026-01-01
compatibility_flags = ["nodejs_compat"]

[[durable_objects.bindings]]
name = "CoderAgent"
class_name = "CoderAgent"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["CoderAgent"]
)");
  const Project toml = files.loaded();
  EXPECT_EQ(toml.worker_json, jsonc.worker_json);
  EXPECT_EQ(toml.bundle_job_json, jsonc.bundle_job_json);
}

TEST(Load, TomlFaultsHaveTheirPlaceAndValuesTheirs) {
  TestProject files;
  files.write("wrangler.toml", "name = \"x\"\nmain = \n");
  Result<Project> result = load(files.options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(result.error().message, AllOf(HasSubstr("wrangler.toml:2:"), HasSubstr("(C101)")));
  files.write("wrangler.toml", "name = \"x\"\nmain = 7\n");
  EXPECT_THAT(load(files.options).error().message,
              HasSubstr("wrangler.toml:2:8: \"main\" is a number, expected a string (C104)"));
}

TEST(Load, AMissingConfigurationSaysWhatToWrite) {
  TestProject files;
  Result<Project> result = load(files.options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(result.error().message, AllOf(HasSubstr("wrangler.jsonc"), HasSubstr("(C111)")));
  files.options.config = files.root / "other.jsonc";
  EXPECT_EQ(load(files.options).error().code, ErrorCode::kNotFound);
}

TEST(Load, OfTwoConfigurationsTheOneThatWranglerReadsIsUsedAndNamed) {
  TestProject files;
  files.write("wrangler.toml", "name = \"toml\"\nmain = \"src/server.ts\"\n");
  const Project project = files.load_jsonc(kSeed);
  EXPECT_EQ(project.name, "coder");
  EXPECT_THAT(warnings(project, "C111"),
              HasSubstr("wrangler.jsonc: this file is used, and wrangler.toml beside it is not"));
}

TEST(Load, AFolderAboveIsSearchedAsWranglerDoes) {
  TestProject files;
  files.write("wrangler.jsonc", kSeed);
  std::filesystem::create_directories(files.root / "src/deep");
  files.options.config = files.root / "src/deep";
  EXPECT_EQ(files.loaded().root, files.root);
}

TEST(Load, UnknownKeysAreWarnedOfWithTheNearest) {
  TestProject files;
  const Project project = files.load_jsonc(with(R"("durable_object": {}, "zzzzz": 1)"));
  EXPECT_THAT(warnings(project, "C103"),
              AllOf(HasSubstr("\"durable_object\" is unknown; did you mean \"durable_objects\"?"),
                    HasSubstr("\"zzzzz\" is unknown; wrangler has no such key")));
  EXPECT_EQ(project.keys.back().support, KeySupport::kUnknown);
}

TEST(Load, UnknownMembersOfAKnownKeyAreWarnedOf) {
  TestProject files;
  const Project project = files.load_jsonc(with(
      R"("durable_objects": { "bindings": [{ "name": "A", "class_name": "A", "classname": "B" }] })"));
  EXPECT_THAT(warnings(project, "C103"), HasSubstr("did you mean \"class_name\"?"));
}

TEST(Load, FaultsOfShapeNamePlaceAndExpectation) {
  TestProject files;
  EXPECT_THAT(files.refusal("{\n \"name\": \"w\",\n \"main\": 3 }"),
              HasSubstr("wrangler.jsonc:3:10: \"main\" is a number, expected a string (C104)"));
  EXPECT_THAT(files.refusal(with("\"durable_objects\": []")),
              HasSubstr("\"durable_objects\" is a list, expected an object (C104)"));
  EXPECT_THAT(
      files.refusal(with("\"durable_objects\": { \"bindings\": [{ \"name\": \"A\" }] }")),
      HasSubstr("\"durable_objects.bindings[0].class_name\" is missing; expected { \"name\""));
  EXPECT_THAT(files.refusal(with("\"migrations\": { \"tag\": \"v1\" }")),
              HasSubstr("\"migrations\" is an object, expected a list"));
  EXPECT_THAT(files.refusal(with("\"rules\": [{ \"type\": \"Txt\", \"globs\": [\"*\"] }]")),
              HasSubstr("\"rules[0].type\" is \"Txt\", expected ESModule"));
  EXPECT_THAT(files.refusal(with("\"triggers\": { \"crons\": [\"* * *\"] }")),
              HasSubstr("has 3 fields, expected five"));
  EXPECT_THAT(files.refusal("{ \"name\": \"../x\", \"main\": \"src/server.ts\" }"),
              HasSubstr("\"name\" is \"../x\", expected letters"));
  EXPECT_THAT(files.refusal(bound("A", "../../etc")), HasSubstr("no name of a JavaScript class"));
  EXPECT_THAT(files.refusal("[]"), HasSubstr("the configuration is a list, expected an object"));
  EXPECT_THAT(files.refusal(with(R"("compatibility_date": "2026-02-30")")),
              HasSubstr("expected a date such as"));
}

TEST(Load, EveryFaultIsToldNotOnlyTheFirst) {
  TestProject files;
  const std::string message = files.refusal(R"({ "name": 1, "main": 2, "minify": "yes" })");
  EXPECT_THAT(message,
              AllOf(HasSubstr("\"name\""), HasSubstr("\"main\""), HasSubstr("\"minify\"")));
}

TEST(Load, AMissingEntryPointNamesTheNearestFile) {
  TestProject files;
  EXPECT_THAT(files.refusal(R"({ "name": "w", "main": "src/sever.ts" })"),
              HasSubstr("there is no such file; did you mean \"src/server.ts\"? (C112)"));
  EXPECT_THAT(files.refusal(R"({ "name": "w" })"), HasSubstr("there is no \"main\""));
}

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

TEST(Bindings, AnotherWorkersClassOrServiceIsUnsupportedByName) {
  TestProject files;
  const Project project = files.load_jsonc(with(R"("durable_objects": { "bindings": [
      { "name": "Other", "class_name": "X", "script_name": "elsewhere" },
      { "name": "Own", "class_name": "X", "script_name": "w" } ] },
      "services": [{ "binding": "SELF", "service": "w", "entrypoint": "Admin", "props": {"a": 1} },
                   { "binding": "AWAY", "service": "elsewhere" }])"));
  EXPECT_EQ(project.bindings.size(), 1u);
  EXPECT_EQ(binding(project, "Other")["kind"], "durable_objects");
  EXPECT_EQ(binding(project, "SELF"), nlohmann::json({{"type", "service"},
                                                      {"name", "SELF"},
                                                      {"service", "w"},
                                                      {"entrypoint", "Admin"},
                                                      {"props", {{"a", 1}}}}));
  EXPECT_THAT(binding(project, "AWAY")["reason"], HasSubstr("\"elsewhere\""));
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

TEST(Environments, KeysAreInheritedAsWranglerDoes) {
  TestProject files;
  files.write("src/other.ts", "export default {};");
  files.options.environment = "staging";
  const Project project = files.load_jsonc(R"({ "name": "w", "main": "src/server.ts",
      "compatibility_date": "2026-01-01", "compatibility_flags": ["a"],
      "vars": { "TOP": 1 }, "define": { "X": "1" }, "alias": { "a": "b" },
      "durable_objects": { "bindings": [{ "name": "Agent1", "class_name": "Agent1" }] },
      "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Agent1"] }],
      "env": { "staging": { "main": "src/other.ts", "vars": { "OWN": 2 }, "minify": true } } })");
  EXPECT_EQ(project.name, "w-staging");
  EXPECT_EQ(project.main.filename(), "other.ts");
  EXPECT_TRUE(binding(project, "TOP").is_null());
  EXPECT_EQ(binding(project, "OWN")["value"], 2);
  EXPECT_TRUE(project.bindings.empty());
  EXPECT_EQ(worker(project)["compatibilityFlags"][0], "a");
  // Migrations are inherited: the class is there, without a binding.
  ASSERT_EQ(project.namespaces.size(), 1u);
  EXPECT_EQ(project.namespaces[0].unique_key, "w-staging-Agent1");
  const auto job = nlohmann::json::parse(project.bundle_job_json);
  EXPECT_EQ(job["define"], nlohmann::json::object());
  EXPECT_EQ(job["alias"]["a"], "b");
  EXPECT_EQ(job["minify"], true);
  EXPECT_THAT(warnings(project, "C109"),
              AllOf(HasSubstr("\"define\" is at the top level but not in \"env.staging\""),
                    HasSubstr("\"durable_objects\""), Not(HasSubstr("\"vars\""))));
}

TEST(Environments, AnEnvironmentsOwnNameIsTakenAsItIs) {
  TestProject files;
  files.options.environment = "p";
  EXPECT_EQ(files.load_jsonc(with(R"("env": { "p": { "name": "prod" } })")).name, "prod");
}

TEST(Environments, AnUnknownEnvironmentIsRefusedWithTheNearest) {
  TestProject files;
  files.options.environment = "stagign";
  EXPECT_THAT(files.refusal(with(R"("env": { "staging": {}, "production": {} })")),
              AllOf(HasSubstr("did you mean \"staging\"?"), HasSubstr("(C110)")));
  const Project project = files.load_jsonc(with("\"vars\": {}"));
  EXPECT_EQ(project.name, "w-stagign");
  EXPECT_THAT(warnings(project, "C110"), HasSubstr("the file has no \"env\""));
}

TEST(Environments, KeysOfTheTopLevelAloneAreWarnedOf) {
  TestProject files;
  files.options.environment = "p";
  const Project project = files.load_jsonc(with(R"("env": { "p": { "alias": {}, "vrs": {} } })"));
  EXPECT_THAT(warnings(project, "C103"),
              AllOf(HasSubstr("\"alias\" has a meaning at the top level only"),
                    HasSubstr("\"vrs\" is unknown; did you mean \"vars\"?")));
}

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

TEST(Documents, AssetsCronsAndBuildSettingsArriveInTheirForm) {
  TestProject files;
  files.write("public/index.html", "<p>");
  files.options.dev = false;
  const Project project =
      files.load_jsonc(with(R"("assets": { "directory": "./public", "binding": "ASSETS",
        "not_found_handling": "single-page-application", "run_worker_first": ["/api/*", "!/x"] },
      "triggers": { "crons": ["*/5 * * * *", "0 0 1 * mon"] },
      "rules": [{ "type": "Text", "globs": ["**/*.md"], "fallthrough": true }],
      "define": { "K": "\"V\"" }, "alias": { "a": "./b.ts" }, "tsconfig": "ts.json", "minify": true,
      "no_bundle": true, "base_dir": "src", "jsx_factory": "h", "keep_names": false,
      "version_metadata": { "binding": "VERSION" }, "dev": { "port": 9000, "ip": "0.0.0.0" })"));
  const auto document = worker(project);
  EXPECT_EQ(document["assets"], nlohmann::json({{"directory", (files.root / "public").string()},
                                                {"notFound", "single-page-application"},
                                                {"html", "auto-trailing-slash"},
                                                {"runWorkerFirst", {"/api/*", "!/x"}}}));
  EXPECT_EQ(binding(project, "ASSETS")["type"], "assets");
  EXPECT_EQ(document["crons"], nlohmann::json({"*/5 * * * *", "0 0 1 * mon"}));
  EXPECT_EQ(document["mode"], "serve");
  EXPECT_EQ(binding(project, "VERSION")["value"]["id"].get<std::string>().size(), 36u);
  EXPECT_EQ(project.dev_port, 9000);
  EXPECT_EQ(project.dev_ip, "0.0.0.0");
  const auto job = nlohmann::json::parse(project.bundle_job_json);
  EXPECT_EQ(job["rules"].dump(), R"([{"fallthrough":true,"globs":["**/*.md"],"type":"Text"}])");
  EXPECT_EQ(job["define"]["K"], "\"V\"");
  EXPECT_EQ(job["watch"], false);
  EXPECT_EQ(job["noBundle"], true);
  EXPECT_EQ(job["findAdditionalModules"], true);
  EXPECT_EQ(job["keepNames"], false);
  EXPECT_EQ(job["baseDir"], "src");
  EXPECT_EQ(job["jsxFactory"], "h");
  EXPECT_EQ(job["jsxFragment"], nullptr);
}

TEST(Documents, AMissingAssetsDirectoryAndDateAreWarnedOf) {
  TestProject files;
  const Project project = files.load_jsonc(
      R"({ "name": "w", "main": "src/server.ts", "assets": { "directory": "dist" } })");
  EXPECT_THAT(warnings(project, "C112"), HasSubstr("dist does not exist yet"));
  EXPECT_THAT(warnings(project, "C113"), HasSubstr("there is no \"compatibility_date\""));
}

TEST(Documents, BytesThatAreNoUtf8DoNotStopTheStart) {
  TestProject files;
  files.write(".dev.vars", "BAD=\xff\xfe\n");
  EXPECT_TRUE(binding(files.load_jsonc(kSeed), "BAD")["value"].is_string());
}

}  // namespace
}  // namespace hearth::project
