#include "project/documents.h"

#include <algorithm>
#include <set>

#include "base/limits.h"

namespace hearth::project {
namespace {

using Json = nlohmann::ordered_json;

// What a configuration without a date gets: the date of the workerd that hearth is compared with.
constexpr std::string_view kCompatibilityDate = "2026-10-23";

Json nullable(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

Json string_map(const Value& config, std::string_view key, Findings& findings) {
  Json out = Json::object();
  const std::string path(key);
  const Value* map = findings.expect(config.find(key), Value::Kind::kObject, path);
  if (map == nullptr) return out;
  for (const Member& member : map->members) {
    const Value* text =
        findings.expect(&member.value, Value::Kind::kString, path + "." + member.key);
    if (text != nullptr) out[member.key] = text->text;
  }
  return out;
}

Json module_rules(const Value& config, Findings& findings) {
  static const std::set<std::string> kTypes{"ESModule", "CommonJS",     "CompiledWasm",     "Text",
                                            "Data",     "PythonModule", "PythonRequirement"};
  Json out = Json::array();
  const Value* list = findings.expect(config.find("rules"), Value::Kind::kArray, "rules");
  if (list == nullptr) return out;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Value& entry = list->items[i];
    const std::string path = "rules[" + std::to_string(i) + "]";
    if (findings.expect(&entry, Value::Kind::kObject, path) == nullptr) continue;
    findings.unknown_members(entry, path, {"type", "globs", "fallthrough"});
    const std::string shape = "{ \"type\": \"Text\", \"globs\": [\"**/*.md\"] }";
    const auto type = findings.required_text(entry, "type", path + ".type", shape);
    if (entry.find("globs") == nullptr) {
      findings.error(entry.at, "\"" + path + ".globs\" is missing; expected " + shape, "C104");
    }
    const auto globs = findings.texts(entry, "globs", path + ".globs");
    if (!type) continue;
    if (!kTypes.contains(*type)) {
      findings.error(entry.find("type")->at,
                     "\"" + path + ".type\" is \"" + *type +
                         "\", expected ESModule, CommonJS, CompiledWasm, Text or Data",
                     "C104");
      continue;
    }
    Json rule{{"type", *type}, {"globs", globs}};
    if (entry.find("fallthrough") != nullptr) {
      rule["fallthrough"] = findings.flag(entry, "fallthrough", path + ".fallthrough", false);
    }
    out.push_back(std::move(rule));
  }
  return out;
}

// `build`: what runs before the bundler. Null when there is nothing to run.
Json build_command(const Value& config, const Project& project, Findings& findings) {
  const Value* build = findings.expect(config.find("build"), Value::Kind::kObject, "build");
  if (build == nullptr) return nullptr;
  findings.unknown_members(*build, "build", {"command", "cwd", "watch_dir"});
  const std::optional<std::string> command = findings.text(*build, "command", "build.command");
  const std::optional<std::string> cwd = findings.text(*build, "cwd", "build.cwd");
  std::vector<std::string> folders{"src"};  // wrangler's default
  if (const Value* given = build->find("watch_dir"); given != nullptr) {
    folders = given->is(Value::Kind::kString)
                  ? std::vector<std::string>{given->text}
                  : findings.texts(*build, "watch_dir", "build.watch_dir");
  }
  if (!command || command->empty()) return nullptr;
  Json watched = Json::array();
  for (const std::string& folder : folders) {
    watched.push_back((project.root / folder).lexically_normal().string());
  }
  const Position at = build->find("command")->at;
  return {{"command", *command},
          {"cwd", (project.root / cwd.value_or(".")).lexically_normal().string()},
          {"watch", std::move(watched)},
          {"at",
           {{"file", project.config_path.lexically_relative(project.root).string()},
            {"line", at.line},
            {"column", at.column}}}};
}

bool one_of(const std::string& text, std::initializer_list<std::string_view> allowed) {
  return std::find(allowed.begin(), allowed.end(), text) != allowed.end();
}

std::string choice(const Value& object, std::string_view key, const std::string& path,
                   std::initializer_list<std::string_view> allowed, std::string_view otherwise,
                   Findings& findings) {
  const std::optional<std::string> text = findings.text(object, key, path);
  if (!text) return std::string(otherwise);
  if (one_of(*text, allowed)) return *text;
  std::string list;
  for (std::string_view name : allowed) list += (list.empty() ? "" : ", ") + std::string(name);
  findings.error(object.find(key)->at,
                 "\"" + path + "\" is \"" + *text + "\", expected one of " + list, "C104");
  return std::string(otherwise);
}

Json run_worker_first(const Value& assets, Findings& findings) {
  const Value* value = assets.find("run_worker_first");
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->boolean;
  return findings.texts(assets, "run_worker_first", "assets.run_worker_first");
}

// Null when there is nothing to serve.
Json assets_document(const Value& config, const Project& project, Findings& findings) {
  const Value* assets = findings.expect(config.find("assets"), Value::Kind::kObject, "assets");
  if (assets == nullptr) return nullptr;
  findings.unknown_members(*assets, "assets",
                           {"directory", "binding", "html_handling", "not_found_handling",
                            "base_path", "run_worker_first"});
  const std::optional<std::string> directory =
      findings.text(*assets, "directory", "assets.directory");
  const std::string html =
      choice(*assets, "html_handling", "assets.html_handling",
             {"auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"},
             "auto-trailing-slash", findings);
  const std::string not_found =
      choice(*assets, "not_found_handling", "assets.not_found_handling",
             {"single-page-application", "404-page", "none"}, "none", findings);
  const Json first = run_worker_first(*assets, findings);
  if (!directory || directory->empty()) {
    findings.warn(assets->at,
                  "\"assets\" names no \"directory\", so no files are served; with a bundler such "
                  "as Vite, name the folder that it writes",
                  "C104");
    return nullptr;
  }
  const std::filesystem::path folder = (project.root / *directory).lexically_normal();
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    findings.warn(assets->find("directory")->at,
                  "the assets directory " + folder.string() +
                      " does not exist yet: build the page first, or correct the path",
                  "C112");
  }
  Json out{{"directory", folder.string()},
           {"notFound", not_found},
           {"html", html},
           {"runWorkerFirst", first}};
  if (const auto base = findings.text(*assets, "base_path", "assets.base_path")) {
    out["basePath"] = *base;
  }
  return out;
}

bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i != 4 && i != 7 && (text[i] < '0' || text[i] > '9')) return false;
  }
  const auto number = [&](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
  const int year = number(0) * 100 + number(2);
  const int month = number(5);
  const int day = number(8);
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  return day <= kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

std::string compatibility_date(const Value& config, Findings& findings) {
  const auto date = findings.text(config, "compatibility_date", "compatibility_date");
  if (!date) {
    if (config.find("compatibility_date") == nullptr) {
      findings.warn(
          config.at,
          "there is no \"compatibility_date\"; " + std::string(kCompatibilityDate) + " is assumed",
          "C113", {}, kCompatibilityDate);
    }
    return std::string(kCompatibilityDate);
  }
  if (!is_date(*date)) {
    findings.error(config.find("compatibility_date")->at,
                   "\"compatibility_date\" is \"" + *date + "\", expected a date such as \"" +
                       std::string(kCompatibilityDate) + "\"",
                   "C113");
  }
  return *date;
}

// What is wrong with the list, worker_document() says.
bool has_flag(const Value& config, std::string_view name) {
  const Value* flags = config.find("compatibility_flags");
  if (flags == nullptr || !flags->is(Value::Kind::kArray)) return false;
  return std::any_of(flags->items.begin(), flags->items.end(), [&](const Value& flag) {
    return flag.is(Value::Kind::kString) && flag.text == name;
  });
}

// limits.cpu_ms; 0: it is not given.
std::int64_t cpu_ms(const Value& config, Findings& findings) {
  constexpr std::int64_t kCpuMsMax = 300'000;  // as Cloudflare has it
  const Value* limits = findings.expect(config.find("limits"), Value::Kind::kObject, "limits");
  if (limits == nullptr) return 0;
  findings.unknown_members(*limits, "limits", {"cpu_ms", "subrequests"});
  const Value* value =
      findings.expect(limits->find("cpu_ms"), Value::Kind::kInteger, "limits.cpu_ms");
  if (value == nullptr) return 0;
  if (value->integer >= 1 && value->integer <= kCpuMsMax) return value->integer;
  findings.error(value->at,
                 "\"limits.cpu_ms\" is " + std::to_string(value->integer) +
                     ", expected milliseconds from 1 to " + std::to_string(kCpuMsMax),
                 "C104");
  return 0;
}

}  // namespace

nlohmann::ordered_json bundle_job(const Value& config, const Project& project, bool dev,
                                  Findings& findings) {
  const bool no_bundle = findings.flag(config, "no_bundle", "no_bundle", false);
  Json job{{"root", project.root.string()}, {"main", nullptr}, {"outdir", ""}};
  if (!project.main.empty()) job["main"] = project.main.string();
  job["build"] = build_command(config, project, findings);
  job["define"] = string_map(config, "define", findings);
  job["alias"] = string_map(config, "alias", findings);
  job["rules"] = module_rules(config, findings);
  job["tsconfig"] = nullable(findings.text(config, "tsconfig", "tsconfig"));
  job["minify"] = findings.flag(config, "minify", "minify", false);
  job["mode"] = dev ? "dev" : "serve";
  job["watch"] = dev;
  job["noBundle"] = no_bundle;
  job["jsxFactory"] = nullable(findings.text(config, "jsx_factory", "jsx_factory"));
  job["jsxFragment"] = nullable(findings.text(config, "jsx_fragment", "jsx_fragment"));
  job["keepNames"] = findings.flag(config, "keep_names", "keep_names", true);
  job["findAdditionalModules"] =
      findings.flag(config, "find_additional_modules", "find_additional_modules", no_bundle);
  job["unsafeModule"] = has_flag(config, "unsafe_module");
  job["baseDir"] = nullable(findings.text(config, "base_dir", "base_dir"));
  return job;
}

nlohmann::ordered_json worker_document(const Value& config, const Project& project, bool dev,
                                       const std::vector<Binding>& bindings,
                                       nlohmann::ordered_json ai, Findings& findings) {
  Json document{{"worker", project.name}, {"bundle", ""}, {"state", ""}};
  document["mode"] = dev ? "dev" : "serve";
  document["durability"] = "fsync";
  document["compatibilityDate"] = compatibility_date(config, findings);
  document["compatibilityFlags"] =
      findings.texts(config, "compatibility_flags", "compatibility_flags");
  if (const std::int64_t limit = cpu_ms(config, findings); limit > 0) document["cpuMs"] = limit;
  document["namespaces"] = Json::array();
  for (const Namespace& name_space : project.namespaces) {
    document["namespaces"].push_back({{"className", name_space.class_name},
                                      {"uniqueKey", name_space.unique_key},
                                      {"sqlite", name_space.sqlite}});
  }
  document["bindings"] = Json::array();
  for (const Binding& binding : bindings) document["bindings"].push_back(binding.document);
  if (Json assets = assets_document(config, project, findings); !assets.is_null()) {
    document["assets"] = std::move(assets);
  }
  document["crons"] = project.crons;
  document["ai"] = std::move(ai);
  document["idleTimeoutMs"] = kAgentIdleTimeoutMs;
  return document;
}

std::vector<std::string> read_crons(const Value& config, Findings& findings) {
  const Value* triggers =
      findings.expect(config.find("triggers"), Value::Kind::kObject, "triggers");
  if (triggers == nullptr) return {};
  findings.unknown_members(*triggers, "triggers", {"crons", "events"});
  std::vector<std::string> crons = findings.texts(*triggers, "crons", "triggers.crons");
  for (const std::string& cron : crons) {
    std::size_t fields = 0;
    bool inside = false;
    for (char c : cron) {
      const bool blank = c == ' ' || c == '\t';
      if (!blank && !inside) ++fields;
      inside = !blank;
    }
    if (fields == 5) continue;
    findings.error(triggers->find("crons")->at,
                   "the cron \"" + cron + "\" has " + std::to_string(fields) +
                       " fields, expected five: minute, hour, day of month, month, day of week",
                   "C104");
  }
  return crons;
}

}  // namespace hearth::project
