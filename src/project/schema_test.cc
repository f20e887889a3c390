// Every key of wrangler's own schema, with the smallest and with the fullest value that the schema
// allows: each is accepted, and each is reported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "project/keys.h"
#include "project/test_project.h"

namespace hearth::project {
namespace {

using Json = nlohmann::ordered_json;

const Json& schema() {
  static const Json parsed = [] {
    std::ifstream file(HEARTH_WRANGLER_SCHEMA);
    EXPECT_TRUE(file.is_open()) << HEARTH_WRANGLER_SCHEMA;
    return Json::parse(file);
  }();
  return parsed;
}

// A value that the schema's node allows. `full`: with every optional member, to a bounded depth.
Json sample(const Json& node, bool full, int depth) {
  if (node.contains("$ref")) {
    const std::string name = node["$ref"].get<std::string>().substr(sizeof("#/definitions/") - 1);
    return sample(schema()["definitions"][name], full, depth + 1);
  }
  if (node.contains("const")) return node["const"];
  if (node.contains("enum")) return node["enum"][0];
  if (node.contains("anyOf")) return sample(node["anyOf"][0], full, depth + 1);
  std::string type = "object";
  if (node.contains("type")) {
    type = node["type"].is_array() ? node["type"][0].get<std::string>()
                                   : node["type"].get<std::string>();
  }
  if (type == "string") return "a";
  if (type == "number" || type == "integer") return 1;
  if (type == "boolean") return true;
  if (type == "null") return nullptr;
  if (type == "array") {
    Json list = Json::array();
    if (node.contains("items") && node["items"].is_object() && depth < 12) {
      list.push_back(sample(node["items"], full, depth + 1));
    }
    return list;
  }
  Json object = Json::object();
  if (!node.contains("properties") || depth >= 12) return object;
  const Json required = node.value("required", Json::array());
  for (const auto& [key, child] : node["properties"].items()) {
    const bool needed = std::find(required.begin(), required.end(), key) != required.end();
    if (needed || full) object[key] = sample(child, full, depth + 1);
  }
  return object;
}

// Where the schema says "string" and means more.
Json valid(const std::string& key, Json value) {
  if (key == "main") return "src/server.ts";
  if (key == "compatibility_date") return "2026-01-01";
  if (key == "triggers" && value.contains("crons")) value["crons"] = {"*/5 * * * *"};
  return value;
}

Json base() {
  return {{"name", "w"}, {"main", "src/server.ts"}, {"compatibility_date", "2026-01-01"}};
}

TEST(Schema, EveryTopLevelKeyIsAcceptedAndReported) {
  const Json& properties = schema()["definitions"]["RawConfig"]["properties"];
  ASSERT_GT(properties.size(), 80u);
  TestProject files;
  for (const auto& [key, node] : properties.items()) {
    for (const bool full : {false, true}) {
      Json config = base();
      config[key] = valid(key, sample(node, full, 0));
      SCOPED_TRACE(config.dump());
      const Project project = files.load_jsonc(config.dump(2));
      const auto reported =
          std::find_if(project.keys.begin(), project.keys.end(),
                       [&, name = key](const KeyReport& report) { return report.key == name; });
      ASSERT_NE(reported, project.keys.end()) << key;
      EXPECT_NE(reported->support, KeySupport::kUnknown) << key;
      EXPECT_EQ(reported->note.empty(), reported->support == KeySupport::kSupported) << key;
    }
  }
}

TEST(Schema, EveryKeyOfAnEnvironmentIsAcceptedThere) {
  const Json& properties = schema()["definitions"]["RawEnvironment"]["properties"];
  TestProject files;
  files.options.environment = "staging";
  for (const auto& [key, node] : properties.items()) {
    Json config = base();
    config["env"]["staging"][key] = valid(key, sample(node, true, 0));
    SCOPED_TRACE(config.dump());
    const Project project = files.load_jsonc(config.dump(2));
    const auto reported =
        std::find_if(project.keys.begin(), project.keys.end(),
                     [&, name = key](const KeyReport& report) { return report.key == name; });
    EXPECT_NE(reported, project.keys.end()) << key;
    EXPECT_NE(find_key(key)->inheritance, Inheritance::kTopLevel) << key;
  }
}

TEST(Schema, EveryBindingThatHearthLacksBecomesAnUnsupportedEntry) {
  const Json& properties = schema()["definitions"]["RawConfig"]["properties"];
  TestProject files;
  std::size_t kinds = 0;
  for (const Key& key : all_keys()) {
    if (key.unsupported_bindings == BindingShape::kNone) continue;
    const std::string name(key.name);
    Json config = base();
    config[name] = sample(properties[name], true, 0);
    SCOPED_TRACE(config.dump());
    const Project project = files.load_jsonc(config.dump());
    const auto entry = binding(project, "a");
    EXPECT_EQ(entry.value("type", ""), "unsupported") << name;
    EXPECT_EQ(entry.value("kind", ""), name);
    EXPECT_THAT(entry.value("reason", ""), testing::StartsWith("hearth "));
    ++kinds;
  }
  EXPECT_GT(kinds, 25u);
}

TEST(Schema, TheTableHasNoKeyThatWranglerLacks) {
  const Json& properties = schema()["definitions"]["RawConfig"]["properties"];
  for (const Key& key : all_keys())
    EXPECT_TRUE(properties.contains(std::string(key.name))) << key.name;
}

// The table is the end of the file. HEARTH_UPDATE_DOCS=1 writes it anew.
TEST(Schema, TheDocumentationHoldsTheTable) {
  std::ifstream file(HEARTH_CONFIGURATION_DOC);
  std::stringstream stream;
  stream << file.rdbuf();
  std::string text = stream.str();
  const std::size_t table = text.find("| key | hearth |");
  ASSERT_NE(table, std::string::npos);
  if (std::getenv("HEARTH_UPDATE_DOCS") != nullptr) {
    text = text.substr(0, table) + keys_as_markdown();
    std::ofstream(HEARTH_CONFIGURATION_DOC) << text;
  }
  EXPECT_EQ(text.substr(table), keys_as_markdown())
      << "docs/configuration.md is out of step: run this test with HEARTH_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace hearth::project
