#include "worker/package.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "os/files.h"
#include "os/virtual_world.h"
#include "worker/versions.h"

namespace hearth::worker {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

class PackageTest : public ::testing::Test {
 protected:
  PackageTest() {
    std::string pattern = (fs::temp_directory_path() / "hearth-package-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    write("bundle/index-aaa.mjs", "code");
    write("bundle/index-aaa.mjs.map", "map");
    write("bundle/index-bbb.mjs", "of another build");
    write("bundle/logo-123.png", std::string("\0\1\2", 3));
    project.name = "w";
    project.config_path = "/p/wrangler.jsonc";
    project.namespaces = {{"A", "w-A", true, true}};
    project.bindings.push_back({"A", "A", 0, "a"});
    project::Migration& migration = project.migrations.emplace_back();
    migration.tag = "v1";
    migration.new_sqlite_classes = {"A"};
    migration.renamed_classes = {{"Z", "A"}};
    migration.transferred_classes = {{"x", "Y", "A"}};
    project.worker_json = R"({"bundle":"","namespaces":[{"className":"A"}],"bindings":[
        {"type":"secret","name":"KEY","value":"s3cret"},{"type":"var","name":"V","value":1}],
        "ai":{"keyName":"AI_KEY","key":"s3cret too"}})";
  }
  ~PackageTest() override { fs::remove_all(folder); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << text;
  }
  Package made() {
    auto package = make_package({{project, folder / "bundle/index-aaa.mjs"}});
    EXPECT_TRUE(package);
    return package ? std::move(package).value() : Package{};
  }

  fs::path folder;
  project::Project project;
};

TEST_F(PackageTest, TravelsWholeAndWithoutSecrets) {
  const auto bytes = packed(made());
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes.value().find("s3cret"), std::string::npos);
  const auto manifest = unpack(bytes.value(), folder / "there");
  ASSERT_TRUE(manifest);
  EXPECT_EQ(os::read_file(folder / "there/bundle/logo-123.png").value(), std::string("\0\1\2", 3));
  EXPECT_FALSE(fs::exists(folder / "there/bundle/index-bbb.mjs"));
  const auto all = projects_of(manifest.value(), folder / "there");
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all.value().size(), 1u);
  const project::Project& there = all.value().front();
  EXPECT_EQ(there.migrations[0].renamed_classes, project.migrations[0].renamed_classes);
  EXPECT_EQ(there.migrations[0].transferred_classes[0].from_worker, "x");
  EXPECT_EQ(there.namespaces[0].unique_key, "w-A");
  Json document = Json::parse(there.worker_json);
  EXPECT_EQ(document["bundle"], (folder / "there/bundle/index-aaa.mjs").string());
  EXPECT_EQ(fill_secrets(document, {{"AI_KEY", "k"}}), std::vector<std::string>{"KEY"});
  EXPECT_EQ(document["bindings"].size(), 1u) << "a secret without a value is undefined";
  EXPECT_EQ(document["ai"]["key"], "k");
}

TEST_F(PackageTest, HoldsSeveralWorkersEachWithItsOwnFiles) {
  write("bundle/back/index-ccc.mjs", "of the other worker");
  write("public/page.html", "a page");
  project.foreign.push_back({"ROOM", "back", "Room", "room", {3, 4}});
  project::Project back;
  back.name = "back";
  back.config_path = "/p/back/wrangler.jsonc";
  back.namespaces = {{"Room", "back-Room", true, true}};
  Json document = Json::parse(project.worker_json);
  document["namespaces"][0]["className"] = "Room";
  document["bindings"][0]["value"] = "another s3cret";
  document["assets"] = {{"directory", (folder / "public").string()}};
  back.worker_json = document.dump();
  EXPECT_EQ(secret_values(std::vector{project, back}).at("back:KEY"), "another s3cret");
  const auto package = make_package(
      {{project, folder / "bundle/index-aaa.mjs"}, {back, folder / "bundle/back/index-ccc.mjs"}});
  ASSERT_TRUE(package) << package.error().message;
  const auto bytes = packed(package.value());
  EXPECT_EQ(bytes.value().find("s3cret"), std::string::npos);
  const auto manifest = unpack(bytes.value(), folder / "there");
  ASSERT_TRUE(manifest);
  EXPECT_FALSE(fs::exists(folder / "there/bundle/back")) << "the other's bundle is its own";
  const auto all = projects_of(manifest.value(), folder / "there");
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all.value().size(), 2u);
  EXPECT_EQ(all.value()[0].foreign[0].class_name, "Room");
  EXPECT_EQ(all.value()[0].foreign[0].at.line, 3u);
  const Json there = Json::parse(all.value()[1].worker_json);
  EXPECT_EQ(os::read_file(there["bundle"].get<std::string>()).value(), "of the other worker");
  EXPECT_EQ(os::read_file(there["assets"]["directory"].get<std::string>() + "/page.html").value(),
            "a page");
  Json mixed = manifest.value();
  mixed["documents"][1]["bundle"] = "../evil.mjs";
  EXPECT_FALSE(projects_of(mixed, folder / "there"));
  mixed["documents"].erase(1);
  EXPECT_FALSE(projects_of(mixed, folder / "there"));
  const std::map<std::string, std::string> secrets{{"KEY", "for all"}, {"back:KEY", "its own"}};
  EXPECT_EQ(secrets_for(secrets, "back").at("KEY"), "its own");
  EXPECT_EQ(secrets_for(secrets, "front").at("KEY"), "for all");
}

TEST_F(PackageTest, RefusesWhatLeadsOutOrIsCut) {
  const std::string manifest = R"({"manifest":{},"files":[)";
  for (const char* path : {"../evil", "/etc/evil", "a/../../evil", ""}) {
    const auto refused = unpack(manifest + "[\"" + path + "\",1]]}\nx", folder / "there");
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  }
  EXPECT_FALSE(fs::exists(folder / "evil"));
  EXPECT_FALSE(unpack(manifest + "[\"a\",9]]}\nx", folder / "there"));
  EXPECT_FALSE(unpack(manifest + "[\"a\",1]]}\nxy", folder / "there"));
  EXPECT_FALSE(unpack("{}\n", folder / "there"));
  EXPECT_FALSE(unpack("", folder / "there"));
  EXPECT_FALSE(projects_of(Json::parse(R"({"format":99})"), folder));
  EXPECT_FALSE(projects_of(Json::parse(R"({"format":1,"workers":[{"name":1}]})"), folder));
}

TEST_F(PackageTest, KeepsTheLastVersionsAndTheCurrentOne) {
  os::VirtualWorld world;
  auto registry = std::move(core::Registry::open(folder / "state", world)).value();
  VersionStore versions(folder / "state", *registry);
  const auto serve = [&](const std::string& id) {
    core::NamespaceChange change;
    change.version = id;
    ASSERT_TRUE(registry->change_namespaces(change));
    versions.prune();
  };
  const auto first = versions.keep(made(), "the first", "here", 1'000);
  ASSERT_TRUE(first);
  serve(first.value());
  EXPECT_EQ(versions.keep(made(), "", "here", 2'000).value(), first.value()) << "nothing is new";
  std::string last = first.value();
  for (int i = 0; i < 15; ++i) {
    write("bundle/index-aaa.mjs", "code " + std::to_string(i));
    const auto next = versions.keep(made(), "", "here", 3'000 + i);
    ASSERT_TRUE(next);
    serve(next.value());
    EXPECT_EQ(versions.find("").value(), last);
    last = next.value();
  }
  EXPECT_EQ(versions.list().size(), kVersionsMax);
  EXPECT_EQ(versions.list().front().id, last);
  EXPECT_TRUE(versions.list().front().current);
  EXPECT_FALSE(versions.has(first.value()));
  EXPECT_FALSE(versions.find("nothing"));
  ASSERT_TRUE(versions.add_secrets({{"A", "1"}}));
  ASSERT_TRUE(versions.add_secrets({{"B", "2"}}));
  EXPECT_EQ(versions.secrets().size(), 2u);
}

}  // namespace
}  // namespace hearth::worker
