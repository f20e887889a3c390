#include "project/findings.h"

#include <algorithm>

#include "project/nearest.h"

namespace hearth::project {

void Findings::error(Position at, std::string_view message, std::string_view code) {
  all_.push_back({.code = std::string(code),
                  .weight = Weight::kFault,
                  .message = std::string(message),
                  .file = file_,
                  .at = at});
}

void Findings::warn_of(const std::filesystem::path& file, std::string_view message,
                       std::string_view code) {
  Finding finding{.code = std::string(code), .weight = Weight::kWarning};
  finding.message = message;
  finding.file = file;
  all_.push_back(std::move(finding));
}

void Findings::warn(Position at, std::string_view message, std::string_view code,
                    std::string_view subject, std::string_view wanted) {
  all_.push_back({.code = std::string(code),
                  .weight = Weight::kWarning,
                  .message = std::string(message),
                  .file = file_,
                  .at = at,
                  .subject = std::string(subject),
                  .wanted = std::string(wanted)});
}

bool Findings::has_faults() const {
  return std::any_of(all_.begin(), all_.end(),
                     [](const Finding& each) { return each.weight == Weight::kFault; });
}

const Value* Findings::expect(const Value* value, Value::Kind kind, const std::string& path) {
  if (value == nullptr || value->is(Value::Kind::kNull)) return nullptr;
  if (value->is(kind)) return value;
  error(value->at,
        "\"" + path + "\" is " + std::string(describe(value->kind)) + ", expected " +
            std::string(describe(kind)),
        "C104");
  return nullptr;
}

std::optional<std::string> Findings::text(const Value& object, std::string_view key,
                                          const std::string& path) {
  const Value* value = expect(object.find(key), Value::Kind::kString, path);
  if (value == nullptr) return std::nullopt;
  return value->text;
}

std::optional<std::string> Findings::required_text(const Value& object, std::string_view key,
                                                   const std::string& path,
                                                   std::string_view shape) {
  const Value* value = object.find(key);
  if (value == nullptr) {
    error(object.at, "\"" + path + "\" is missing; expected " + std::string(shape), "C104");
    return std::nullopt;
  }
  std::optional<std::string> found = text(object, key, path);
  if (found && found->empty()) {
    error(value->at, "\"" + path + "\" is empty; expected " + std::string(shape), "C104");
    return std::nullopt;
  }
  return found;
}

bool Findings::flag(const Value& object, std::string_view key, const std::string& path,
                    bool otherwise) {
  const Value* value = expect(object.find(key), Value::Kind::kBoolean, path);
  return value == nullptr ? otherwise : value->boolean;
}

std::vector<std::string> Findings::texts(const Value& object, std::string_view key,
                                         const std::string& path) {
  std::vector<std::string> out;
  const Value* list = expect(object.find(key), Value::Kind::kArray, path);
  if (list == nullptr) return out;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Value* item =
        expect(&list->items[i], Value::Kind::kString, path + "[" + std::to_string(i) + "]");
    if (item != nullptr) out.push_back(item->text);
  }
  return out;
}

void Findings::unknown_members(const Value& object, const std::string& path,
                               const std::vector<std::string>& known) {
  for (const Member& member : object.members) {
    if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    const std::optional<std::string> near = nearest(member.key, known);
    warn(member.at,
         "\"" + path + "\" has no \"" + member.key + "\"" +
             (near ? "; did you mean \"" + *near + "\"?" : ""),
         "C103", member.key, near.value_or(""));
  }
}

}  // namespace hearth::project
