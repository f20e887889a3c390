// The SDK's rule for the URL of a binding (agents 0.32, camelCaseToKebabCase): an all-capitals name
// becomes lower case with "_" as "-"; of others each A–Z becomes "-x", one leading "-" goes, "_"
// becomes "-", one trailing "-" goes.
#include <algorithm>

#include "project/project.h"

namespace hearth::project {
namespace {

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
// Letters beyond ASCII count as small ones: no capitals-only rule for them, and they stay as they
// are.
bool is_lower(char c) {
  return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
}
char to_lower(char c) {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string url_segment(std::string_view binding_name) {
  std::string out;
  const bool all_capitals = std::any_of(binding_name.begin(), binding_name.end(), is_upper) &&
                            std::none_of(binding_name.begin(), binding_name.end(), is_lower);
  if (all_capitals) {
    for (char c : binding_name) out += c == '_' ? '-' : to_lower(c);
    return out;
  }
  for (char c : binding_name) {
    if (is_upper(c)) out += '-';
    out += to_lower(c);
  }
  if (out.starts_with('-')) out.erase(0, 1);
  std::replace(out.begin(), out.end(), '_', '-');
  if (out.ends_with('-')) out.pop_back();
  return out;
}

}  // namespace hearth::project
