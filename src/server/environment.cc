#include "server/environment.h"

#include <algorithm>
#include <cctype>

#include "log/secret_files.h"
#include "project/catalogue.h"

namespace hearth::server {
namespace {

using Json = nlohmann::ordered_json;
using project::Finding;

// `word` in `text`, with nothing before or after it that could be a part of a longer name.
bool mentions(std::string_view text, std::string_view word) {
  const auto in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
  };
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !in_name(text[at - 1])) && (end == text.size() || !in_name(text[end]))) {
      return true;
    }
  }
  return false;
}

// A finding says what it is about, or names it: `"NAME"` or env.NAME for an entry, `"Class"` for
// what is bound to it.
bool concerns(const Finding& finding, const std::string& name, const std::string& class_name) {
  if (finding.subject == name) return true;
  if (!class_name.empty() && finding.subject == class_name) return true;
  if (!finding.subject.empty()) return false;
  return finding.message.find("\"" + name + "\"") != std::string::npos ||
         mentions(finding.message, "env." + name) ||
         (!class_name.empty() && mentions(finding.message, class_name));
}

const project::Project* worker_named(const std::string& name, const project::Project& project,
                                     const std::vector<project::Project>& others) {
  if (name == project.name) return &project;
  const auto found = std::find_if(others.begin(), others.end(),
                                  [&](const auto& each) { return each.name == name; });
  return found == others.end() ? nullptr : &*found;
}

// Another worker's class: clients reach it here, if that worker is served here.
void describe_foreign(Json& entry, const Json& binding, const project::Project& project,
                      const std::vector<project::Project>& others) {
  const std::string class_name = binding.value("className", "");
  entry["class"] = class_name;
  entry["worker"] = binding.value("worker", "");
  const project::Project* worker = worker_named(binding.value("worker", ""), project, others);
  const project::Namespace* space = nullptr;
  if (worker != nullptr) {
    for (const auto& each : worker->namespaces) {
      if (each.class_name == class_name) space = &each;
    }
  }
  const std::string segment = project::url_segment(binding.value("name", ""));
  entry["served"] = space != nullptr;
  entry["migrated"] = space != nullptr && space->migrated;
  entry["sql"] = space != nullptr && space->sqlite;
  entry["segment"] = segment;
  entry["url"] = "/agents/" + segment + "/:name";
}

void describe_namespace(Json& entry, const Json& binding, const project::Project& project,
                        const worker::CodeFacts& facts) {
  const std::string name = binding.value("name", "");
  const auto own = std::find_if(project.bindings.begin(), project.bindings.end(),
                                [&](const auto& each) { return each.name == name; });
  if (own == project.bindings.end()) return;
  entry["class"] = own->class_name;
  if (facts.exports_known) {
    const auto& exports = facts.exports;
    entry["exported"] = std::find(exports.begin(), exports.end(), own->class_name) != exports.end();
  }
  const auto* space =
      own->name_space < project.namespaces.size() ? &project.namespaces[own->name_space] : nullptr;
  entry["migrated"] = space != nullptr && space->migrated;
  entry["sql"] = space != nullptr && space->sqlite;
  entry["segment"] = own->url_segment;
  entry["url"] = "/agents/" + own->url_segment + "/:name";
}

// The values of vars, which are no secrets, yet nobody's business either.
log::Redactor values_of(const Json& bindings) {
  std::vector<log::Secret> values;
  for (const Json& each : bindings) {
    if (each.value("type", "") != "var" || !each.contains("value")) continue;
    if (!each["value"].is_string()) continue;
    values.push_back({each.value("name", ""), each["value"].get<std::string>()});
  }
  log::Redactor hidden;
  hidden.add(values);
  return hidden;
}

Json describe_entry(const Json& binding, const project::Project& project,
                    const worker::CodeFacts& facts, const std::vector<project::Project>& others) {
  const std::string kind = binding.value("type", "");
  Json entry{{"name", binding.value("name", "")}, {"kind", kind}};
  if (kind == "durable_object" && binding.contains("worker")) {
    describe_foreign(entry, binding, project, others);
  } else if (kind == "durable_object") {
    describe_namespace(entry, binding, project, facts);
  }
  if (kind == "secret") entry["set"] = !binding.value("value", "").empty();
  if (kind == "service") {
    entry["service"] = binding.value("service", "");
    entry["served"] = worker_named(binding.value("service", ""), project, others) != nullptr;
    if (binding.contains("entrypoint")) entry["entrypoint"] = binding["entrypoint"];
  }
  if (kind == "unsupported") {
    entry["type"] = binding.value("kind", "");
    entry["reason"] = binding.value("reason", "");
  }
  return entry;
}

}  // namespace

log::Redactor secrets_to_hide(const std::filesystem::path& config,
                              const project::Project* project) {
  log::Redactor hidden;
  hidden.add(log::secrets_beside(config));
  if (project != nullptr) hidden.add(log::secrets_of(project->worker_json));
  return hidden;
}

Json finding_json(const Finding& each, const std::filesystem::path& root,
                  const log::Redactor& hidden) {
  const auto clean = [&](std::string text) {
    hidden.redact(text);
    return text;
  };
  const project::Diagnostic* entry = project::find_diagnostic(each.code);
  Json finding{{"code", each.code},
               {"severity", each.weight == project::Weight::kFault ? "fault" : "warning"},
               {"title", entry ? entry->title : ""},
               {"message", clean(each.message)}};
  if (!each.file.empty()) {
    const auto relative = each.file.lexically_relative(root);
    const bool below = !relative.empty() && !relative.native().starts_with("..");
    finding["file"] = below ? relative.generic_string() : each.file.string();
  }
  if (each.at.line != 0) {
    finding["line"] = each.at.line;
    finding["column"] = each.at.column;
  }
  if (!each.stack.empty()) finding["stack"] = clean(each.stack);
  finding["cause"] = entry ? entry->cause : "";
  finding["cure"] = entry ? entry->cure : "";
  finding["docs"] = entry ? project::docs_anchor(each.code) : "";
  if (!each.edits.empty()) {
    finding["diff"] = clean(project::diff_of(each.edits, root));
    finding["safe"] = each.safe;
  }
  return finding;
}

Json environment_json(const project::Project& project, const worker::CodeFacts& facts,
                      const std::vector<Finding>& findings,
                      const std::vector<project::Project>& others) {
  Json answer{{"worker", project.name}, {"entries", Json::array()}, {"diagnostics", Json::array()}};
  const Json document = Json::parse(project.worker_json, nullptr, false);
  std::vector<bool> told(findings.size(), false);
  const Json bindings = document.is_object() ? document.value("bindings", Json::array()) : Json();
  const log::Redactor hidden = secrets_to_hide(project.config_path, &project);
  const log::Redactor values = values_of(bindings);
  const auto told_of = [&](const Finding& each) {
    Json finding = finding_json(each, project.root, hidden);
    // An edit is shown with the lines around it.
    if (finding.contains("diff")) values.redact(finding["diff"].get_ref<std::string&>());
    return finding;
  };
  for (const Json& binding : bindings) {
    Json entry = describe_entry(binding, project, facts, others);
    Json diagnostics = Json::array();
    for (std::size_t i = 0; i < findings.size(); ++i) {
      if (!concerns(findings[i], binding.value("name", ""), entry.value("class", ""))) continue;
      diagnostics.push_back(told_of(findings[i]));
      told[i] = true;
    }
    entry["diagnostics"] = std::move(diagnostics);
    answer["entries"].push_back(std::move(entry));
  }
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (!told[i]) answer["diagnostics"].push_back(told_of(findings[i]));
  }
  return answer;
}

}  // namespace hearth::server
