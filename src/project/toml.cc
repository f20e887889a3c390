#include "project/toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

namespace hearth::project {
namespace {

Position position(const toml::source_region& source) {
  return {source.begin.line, source.begin.column};
}

Value convert(const toml::node& node);

Value convert_table(const toml::table& table) {
  Value value;
  value.kind = Value::Kind::kObject;
  for (const auto& [key, child] : table) {
    value.members.push_back({std::string(key.str()), position(key.source()), convert(child)});
  }
  // toml++ sorts by name; a reader expects the file's order.
  std::stable_sort(value.members.begin(), value.members.end(),
                   [](const Member& a, const Member& b) {
                     return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
                   });
  return value;
}

template <typename Date>
Value convert_date(const Date& date) {
  std::ostringstream text;
  text << date;
  return make_string(text.str());
}

Value convert(const toml::node& node) {
  Value value;
  if (const auto* table = node.as_table()) {
    value = convert_table(*table);
  } else if (const auto* array = node.as_array()) {
    value.kind = Value::Kind::kArray;
    for (const auto& item : *array) value.items.push_back(convert(item));
  } else if (const auto* text = node.as_string()) {
    value = make_string(text->get());
  } else if (const auto* integer = node.as_integer()) {
    value.kind = Value::Kind::kInteger;
    value.integer = integer->get();
    value.number = static_cast<double>(value.integer);
  } else if (const auto* number = node.as_floating_point()) {
    value.kind = Value::Kind::kNumber;
    value.number = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = Value::Kind::kBoolean;
    value.boolean = boolean->get();
  } else if (const auto* date = node.as_date()) {
    value = convert_date(date->get());
  } else if (const auto* time = node.as_time()) {
    value = convert_date(time->get());
  } else if (const auto* date_time = node.as_date_time()) {
    value = convert_date(date_time->get());
  }
  value.at = position(node.source());
  return value;
}

}  // namespace

Result<ParsedConfig> parse_toml(std::string_view text, std::string_view file_name) {
  try {
    const toml::table table = toml::parse(text, file_name);
    return ParsedConfig{convert_table(table), {}};
  } catch (const toml::parse_error& error) {
    const Position at = position(error.source());
    std::string message(error.description());
    // toml++ words its faults as "Error while parsing key-value pair: …".
    const std::string_view prefix = "Error while parsing ";
    if (message.starts_with(prefix)) message = "in a " + message.substr(prefix.size());
    if (message.find("could not determine value type") != std::string::npos) {
      message = "this is no value; a text stands in quotes: main = \"server.ts\"";
    }
    return Error{ErrorCode::kInvalid, std::string(file_name) + ":" + std::to_string(at.line) + ":" +
                                          std::to_string(at.column) + ": " + message + " (C101)"};
  }
}

}  // namespace hearth::project
