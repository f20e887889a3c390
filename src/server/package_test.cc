#include "server/package.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "os/files.h"
#include "os/virtual_world.h"
#include "server/versions.h"

namespace hearth::server {
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
    auto package = make_package(project, folder / "bundle/index-aaa.mjs");
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
  const auto there = project_of(manifest.value(), folder / "there");
  ASSERT_TRUE(there) << there.error().message;
  EXPECT_EQ(there.value().migrations[0].renamed_classes, project.migrations[0].renamed_classes);
  EXPECT_EQ(there.value().migrations[0].transferred_classes[0].from_worker, "x");
  EXPECT_EQ(there.value().namespaces[0].unique_key, "w-A");
  Json document = Json::parse(there.value().worker_json);
  EXPECT_EQ(document["bundle"], (folder / "there/bundle/index-aaa.mjs").string());
  EXPECT_EQ(fill_secrets(document, {{"AI_KEY", "k"}}), std::vector<std::string>{"KEY"});
  EXPECT_EQ(document["bindings"].size(), 1u) << "a secret without a value is undefined";
  EXPECT_EQ(document["ai"]["key"], "k");
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
  EXPECT_FALSE(project_of(Json::parse(R"({"format":99})"), folder));
  EXPECT_FALSE(project_of(Json::parse(R"({"format":1,"workers":[{"name":1}]})"), folder));
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
}  // namespace hearth::server
