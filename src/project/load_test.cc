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
  EXPECT_EQ(job["unsafeModule"], false);
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

TEST(Load, AMissingEntryPointIsTheBuildCommandsBusiness) {
  TestProject files;
  const Project project = files.load_jsonc(R"({
    "name": "w", "main": "out/worker.js", "compatibility_date": "2026-01-01",
    "build": { "command": "make", "cwd": "tools", "watch_dir": ["src", "pages"] }
  })");
  EXPECT_THAT(project.warnings, testing::Each(Not(HasSubstr("C112"))));
  const auto job = nlohmann::json::parse(project.bundle_job_json);
  EXPECT_EQ(job["main"], (files.root / "out/worker.js").string());
  EXPECT_EQ(
      job["build"],
      nlohmann::json({{"command", "make"},
                      {"cwd", (files.root / "tools").string()},
                      {"watch", {(files.root / "src").string(), (files.root / "pages").string()}},
                      {"at", {{"file", "wrangler.jsonc"}, {"line", 3}, {"column", 27}}}}));
}

TEST(Load, WithoutAnEntryPointThereAreAssetsOrNothing) {
  TestProject files;
  files.write("public/index.html", "home");
  const Project project = files.load_jsonc(
      R"({ "name": "w", "compatibility_date": "2026-01-01", "assets": { "directory": "public" } })");
  EXPECT_TRUE(project.main.empty());
  EXPECT_TRUE(nlohmann::json::parse(project.bundle_job_json)["main"].is_null());
  EXPECT_THAT(files.refusal(R"({ "name": "w", "compatibility_date": "2026-01-01" })"),
              HasSubstr("there is no \"main\""));
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

TEST(Environments, WranglersOwnVariableStandsInForTheOption) {
  TestProject files;
  files.environment["CLOUDFLARE_ENV"] = "p";
  const std::string config = with(R"("env": { "p": {}, "q": {} })");
  EXPECT_EQ(files.load_jsonc(config).name, "w-p");
  files.options.environment = "q";
  EXPECT_EQ(files.load_jsonc(config).name, "w-q");
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

TEST(Load, TakesTheCpuTimeOfATurnFromLimits) {
  const auto with_limits = [](std::string_view limits) {
    return with(R"("limits": )" + std::string(limits));
  };
  TestProject files;
  EXPECT_FALSE(worker(files.load_jsonc(kSeed)).contains("cpuMs"));
  const Project project = files.load_jsonc(with_limits(R"({ "cpu_ms": 250, "subrequests": 10 })"));
  EXPECT_EQ(worker(project)["cpuMs"], 250);
  EXPECT_THAT(project.warnings, Not(testing::Contains(HasSubstr("limits"))));
  EXPECT_FALSE(worker(files.load_jsonc(with_limits("{}"))).contains("cpuMs"));
  EXPECT_THAT(files.refusal(with_limits(R"({ "cpu_ms": 0 })")),
              HasSubstr("\"limits.cpu_ms\" is 0, expected milliseconds from 1 to 300000"));
  EXPECT_THAT(files.refusal(with_limits(R"({ "cpu_ms": "fast" })")),
              HasSubstr("\"limits.cpu_ms\" is a string"));
}

}  // namespace
}  // namespace hearth::project
