#include "project/value.h"

#include <nlohmann/json.hpp>

namespace hearth::project {

const Member* Value::find_member(std::string_view key) const {
  if (kind != Kind::kObject) return nullptr;
  for (const Member& member : members) {
    if (member.key == key) return member.value.is(Kind::kNull) ? nullptr : &member;
  }
  return nullptr;
}

const Value* Value::find(std::string_view key) const {
  const Member* member = find_member(key);
  return member == nullptr ? nullptr : &member->value;
}

std::string_view describe(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::kNull:
      return "null";
    case Value::Kind::kBoolean:
      return "true or false";
    case Value::Kind::kInteger:
    case Value::Kind::kNumber:
      return "a number";
    case Value::Kind::kString:
      return "a string";
    case Value::Kind::kArray:
      return "a list";
    case Value::Kind::kObject:
      return "an object";
  }
  return "nothing known";
}

nlohmann::ordered_json to_json(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return nullptr;
    case Value::Kind::kBoolean:
      return value.boolean;
    case Value::Kind::kInteger:
      return value.integer;
    case Value::Kind::kNumber:
      return value.number;
    case Value::Kind::kString:
      return value.text;
    case Value::Kind::kArray: {
      auto list = nlohmann::ordered_json::array();
      for (const Value& item : value.items) list.push_back(to_json(item));
      return list;
    }
    case Value::Kind::kObject: {
      auto object = nlohmann::ordered_json::object();
      for (const Member& member : value.members) object[member.key] = to_json(member.value);
      return object;
    }
  }
  return nullptr;
}

Value make_string(std::string text) {
  Value value;
  value.kind = Value::Kind::kString;
  value.text = std::move(text);
  return value;
}

}  // namespace hearth::project
