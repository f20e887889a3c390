// A configuration file as a tree in which every value knows its line and column: what JSONC and
// TOML are both read into, so that every later complaint can name its place. Plain values, no I/O;
// any thread. Members keep the file's order; of a key given twice the last one counts, as in
// JSON.parse, and both places are kept for the warning.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::project {

// Both count from 1; columns count bytes. Line 0: not from a file.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

struct Member;

struct Value {
  enum class Kind { kNull, kBoolean, kInteger, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  std::int64_t integer = 0;     // kInteger
  double number = 0;            // kInteger and kNumber
  std::string text;             // kString
  std::vector<Value> items;     // kArray
  std::vector<Member> members;  // kObject
  Position at;

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_object() const { return kind == Kind::kObject; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_boolean() const { return kind == Kind::kBoolean; }

  // The member's value, or null. Null members count as absent, as wrangler has it.
  const Value* find(std::string_view key) const;
  const Member* find_member(std::string_view key) const;
};

struct Member {
  std::string key;
  Position at;  // the key's
  Value value;
};

// A key that an object holds twice.
struct Duplicate {
  std::string key;
  Position first;
  Position second;
};

// "an object", "a string" …: for sentences such as "is a string, expected an object".
std::string_view describe(Value::Kind kind);

nlohmann::ordered_json to_json(const Value& value);

Value make_string(std::string text);

}  // namespace hearth::project
