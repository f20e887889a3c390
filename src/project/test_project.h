// A temporary folder with files, for tests: gone when the object is.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "project/project.h"

namespace hearth::project {

class TestProject {
 public:
  TestProject() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "hearth-project-XXXXXX").string();
    root = mkdtemp(pattern.data());
    write("src/server.ts", "export default {};\n");
    options.config = root;
    options.process_environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment.find(name);
      if (found == environment.end()) return std::nullopt;
      return found->second;
    };
  }
  ~TestProject() { std::filesystem::remove_all(root); }
  TestProject(const TestProject&) = delete;
  TestProject& operator=(const TestProject&) = delete;

  void write(const std::string& name, std::string_view text) {
    std::filesystem::create_directories((root / name).parent_path());
    std::ofstream(root / name, std::ios::binary) << text;
  }

  // Writes wrangler.jsonc and loads it, expecting success.
  Project load_jsonc(std::string_view text) {
    write("wrangler.jsonc", text);
    return loaded();
  }
  Project loaded() {
    Result<Project> result = load(options);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    return result.ok() ? *result : Project{};
  }
  // The refusal's message; empty if there was none.
  std::string refusal(std::string_view jsonc) {
    write("wrangler.jsonc", jsonc);
    const Result<Project> result = load(options);
    return result.ok() ? "" : result.error().message;
  }

  std::filesystem::path root;
  LoadOptions options;
  std::map<std::string, std::string> environment;
};

inline nlohmann::json worker(const Project& project) {
  return nlohmann::json::parse(project.worker_json);
}

// A valid configuration with these members besides.
inline std::string with(std::string_view members) {
  return R"({ "name": "w", "main": "src/server.ts", "compatibility_date": "2026-01-01", )" +
         std::string(members) + " }";
}
inline std::string bound(std::string_view name, std::string_view class_name,
                         std::string_view more = "") {
  return with(R"("durable_objects": { "bindings": [{ "name": ")" + std::string(name) +
              R"(", "class_name": ")" + std::string(class_name) + R"(" }] })" + std::string(more));
}

// The binding of that name in the worker document, or null.
inline nlohmann::json binding(const Project& project, const std::string& name) {
  const nlohmann::json document = worker(project);
  for (const auto& entry : document["bindings"]) {
    if (entry["name"] == name) return entry;
  }
  return nullptr;
}

// All warnings that carry this code.
inline std::string warnings(const Project& project, const std::string& code) {
  std::string out;
  for (const std::string& warning : project.warnings) {
    if (warning.find("(" + code + ")") != std::string::npos) out += warning + "\n";
  }
  return out;
}

}  // namespace hearth::project
