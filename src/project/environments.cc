#include "project/environments.h"

#include <algorithm>
#include <optional>

#include "project/keys.h"
#include "project/nearest.h"

namespace hearth::project {
namespace {

Value without_env(const Value& root) {
  Value out = root;
  std::erase_if(out.members, [](const Member& member) { return member.key == "env"; });
  return out;
}

void append_environment_to_name(Value& config, const std::string& environment) {
  for (Member& member : config.members) {
    if (member.key == "name" && member.value.is_string() && !member.value.text.empty()) {
      member.value.text += "-" + environment;
    }
  }
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

void tell_missing(const Value& root, const Value* environments, const std::string& environment,
                  Findings& findings) {
  std::vector<std::string> names;
  if (environments != nullptr) {
    for (const Member& member : environments->members) names.push_back(member.key);
  }
  if (names.empty()) {
    findings.warn(root.at,
                  "there is no environment \"" + environment +
                      "\": the file has no \"env\", so the top level is used",
                  "C110");
    return;
  }
  const std::optional<std::string> near = nearest(environment, names);
  findings.error(environments->at,
                 "there is no environment \"" + environment + "\"; " +
                     (near ? "did you mean \"" + *near + "\"? There are " : "there are ") +
                     listed(names),
                 "C110");
}

// One key of the environment against the same of the top level.
std::optional<Member> merged(const Key& key, const Value& root, const Value& own,
                             const std::string& environment, Findings& findings) {
  const Member* top = root.find_member(key.name);
  const Member* mine = own.find_member(key.name);
  switch (key.inheritance) {
    case Inheritance::kTopLevel:
      if (mine != nullptr) {
        findings.warn(mine->at,
                      "\"" + mine->key + "\" has a meaning at the top level only, not in \"env." +
                          environment + "\"",
                      "C103");
      }
      return top == nullptr ? std::nullopt : std::optional(*top);
    case Inheritance::kInherited: {
      if (mine != nullptr) return *mine;
      if (top == nullptr) return std::nullopt;
      return *top;
    }
    case Inheritance::kNotInherited:
      if (mine != nullptr) return *mine;
      if (top != nullptr) {
        findings.warn(top->at,
                      "\"" + top->key + "\" is at the top level but not in \"env." + environment +
                          "\", and environments do not inherit it: repeat it there",
                      "C109");
      }
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

Value apply_environment(const Value& root, const std::string& environment, Findings& findings) {
  if (environment.empty()) return without_env(root);

  const Value* environments = findings.expect(root.find("env"), Value::Kind::kObject, "env");
  const Value* own = environments == nullptr ? nullptr : environments->find(environment);
  if (own == nullptr) {
    tell_missing(root, environments, environment, findings);
    Value out = without_env(root);
    append_environment_to_name(out, environment);
    return out;
  }
  own = findings.expect(own, Value::Kind::kObject, "env." + environment);
  if (own == nullptr) return without_env(root);

  Value out;
  out.kind = Value::Kind::kObject;
  out.at = own->at;
  for (const Key& key : all_keys()) {
    if (key.name == "env") continue;
    if (std::optional<Member> member = merged(key, root, *own, environment, findings)) {
      out.members.push_back(std::move(*member));
    }
  }
  if (own->find("name") == nullptr) append_environment_to_name(out, environment);
  // What the table does not know is kept, to be reported as unknown.
  for (const Value* source : {&root, own}) {
    for (const Member& member : source->members) {
      if (find_key(member.key) == nullptr && out.find_member(member.key) == nullptr) {
        out.members.push_back(member);
      }
    }
  }
  // The list printed at start follows the file.
  std::stable_sort(out.members.begin(), out.members.end(),
                   [](const Member& a, const Member& b) { return a.at.line < b.at.line; });
  return out;
}

}  // namespace hearth::project
