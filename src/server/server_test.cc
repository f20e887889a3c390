#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log/console.h"
#include "server/banner.h"
#include "server/options.h"
#include "worker/bundler.h"

namespace hearth::server {
namespace {

Parsed parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "hearth");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, HasItsDefaults) {
  const Parsed parsed = parse({"dev"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->command, Command::kDev);
  EXPECT_FALSE(parsed.options->port);
  EXPECT_EQ(parsed.options->hosts, 1u);
  EXPECT_FALSE(parsed.options->inspect);
  EXPECT_EQ(parsed.options->body_bytes_max, kRequestBodyBytesMax);
}

TEST(CommandLine, TakesEveryOption) {
  const Parsed parsed =
      parse({"serve", "-c",    "w.jsonc", "--env",          "staging",      "--port", "0",
             "--ip",  "::1",   "--state", "/tmp/s",         "--hosts",      "3",      "--var",
             "A:b:c", "--var", "D:",      "--inspect=9333", "--durability", "os",     "--max-body",
             "2MB"});
  ASSERT_TRUE(parsed.options);
  const Options& options = *parsed.options;
  EXPECT_EQ(options.command, Command::kServe);
  EXPECT_EQ(options.config, "w.jsonc");
  EXPECT_EQ(options.environment, "staging");
  EXPECT_EQ(options.port, 0);
  EXPECT_EQ(options.hosts, 3u);
  EXPECT_EQ(options.vars,
            (std::vector<std::pair<std::string, std::string>>{{"A", "b:c"}, {"D", ""}}));
  EXPECT_EQ(options.inspect, 9333);
  EXPECT_EQ(options.durability, "os");
  EXPECT_EQ(options.body_bytes_max, 2u * 1024 * 1024);
}

TEST(CommandLine, OpensTheInspectorOnItsUsualPort) {
  const Parsed parsed = parse({"dev", "--inspect"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->inspect, 9229);
}

std::string complaint_about(std::vector<const char*> arguments) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(parse(std::move(arguments)).exit_code, 2);
  return testing::internal::GetCapturedStderr();
}

TEST(CommandLine, SaysWhatMayHaveBeenMeant) {
  using testing::HasSubstr;
  EXPECT_THAT(complaint_about({"depoly"}),
              HasSubstr("no command \"depoly\"; did you mean deploy?"));
  EXPECT_THAT(complaint_about({"publish"}), HasSubstr("did you mean deploy?"));
  EXPECT_THAT(complaint_about({"dev", "--prot", "8080"}),
              HasSubstr("hearth dev knows no option --prot; did you mean --port?"));
  EXPECT_THAT(complaint_about({"serve", "--host=0.0.0.0"}), HasSubstr("did you mean --ip?"));
  EXPECT_THAT(complaint_about({"dev", "--persist-to", "x"}), HasSubstr("did you mean --state?"));
  EXPECT_THAT(complaint_about({"dev", "."}), HasSubstr("a project is named with -c ."));
  EXPECT_THAT(complaint_about({"dev", "--port", "abc"}), HasSubstr("hearth dev: --port: "));
  EXPECT_THAT(complaint_about({"explain"}), HasSubstr("hearth explain: CODE is required"));
  EXPECT_THAT(complaint_about({}), HasSubstr("Subcommands:"));
}

TEST(CommandLine, TakesThePortInShort) {
  const Parsed parsed = parse({"dev", "-p", "1234"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->port, 1234);
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(parse({"dev", "--nonsense"}).options);
  EXPECT_FALSE(parse({"dev", "--hosts", "0"}).options);
  EXPECT_FALSE(parse({"dev", "--var", "novalue"}).options);
  EXPECT_FALSE(parse({"dev", "--durability", "never"}).options);
  EXPECT_FALSE(parse({"dev", "--inspect=x"}).options);
  EXPECT_NE(parse({}).exit_code, 0);
}

TEST(BuildReport, IsReadAndItsErrorsAreShownWithTheirLine) {
  auto good =
      worker::read_report(R"({"ok":true,"bundle":"/b.mjs","exports":["A","default"],"ms":41})");
  ASSERT_TRUE(good);
  EXPECT_TRUE(good->ok);
  EXPECT_EQ(good->bundle, "/b.mjs");
  EXPECT_EQ(good->exports.size(), 2u);
  const char* broken =
      R"({"ok":false,"errors":[{"text":"Expected \";\"","file":"src/a.ts","line":3,"column":5,"lineText":"let x y","notes":[]}]})";
  auto bad = worker::read_report(broken);
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->errors, "  src/a.ts:3:5: Expected \";\"\n      let x y\n          ^");
  EXPECT_EQ(bad->fault.where, "src/a.ts:3:5");
  EXPECT_EQ(bad->fault.status, 503);
  EXPECT_FALSE(worker::read_report("hello"));
}

TEST(LogLine, NamesTheAgentAndShowsTheStackOnce) {
  const char* json = R"json({"message":"boom","class":"Coder","agent":"default",)json"
                     R"json("stack":"Error: boom\n    at f (a.ts:1:2)\n    at g (a.ts:3:4)"})json";
  EXPECT_EQ(log::log_line(json), "Coder/default: boom\n    at f (a.ts:1:2)\n    at g (a.ts:3:4)");
  EXPECT_EQ(log::log_line("plain"), "plain");
}

TEST(Banner, ListsAgentsAndKeys) {
  project::Project project;
  project.name = "w";
  project.namespaces.push_back({"Coder", "w-Coder", true, true});
  project.bindings.push_back({"Coder", "Coder", 0, "coder"});
  project.keys.push_back({"name", project::KeySupport::kSupported, ""});
  project.keys.push_back({"placement", project::KeySupport::kIgnored, "one machine"});
  const std::string text = banner({project}, false);
  EXPECT_NE(text.find("/agents/coder/:name"), std::string::npos);
  EXPECT_NE(text.find("supported  name"), std::string::npos);
  EXPECT_NE(text.find("placement: one machine"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace hearth::server
