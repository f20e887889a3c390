#include "log/secret_files.h"

#include <cctype>
#include <string>
#include <string_view>

#include "project/dotenv.h"
#include "project/files.h"

namespace hearth::log {
namespace {

constexpr std::size_t kFilesMax = 32;

bool in_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

bool is_quote(char c) {
  return c == '"' || c == '\'';
}

// What stands before text[at], without its quotes.
std::string name_before(std::string_view text, std::size_t at) {
  while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t' || is_quote(text[at - 1]))) --at;
  std::size_t begin = at;
  while (begin > 0 && in_name(text[begin - 1])) --begin;
  return std::string(text.substr(begin, at - begin));
}

// The quoted text that follows text[at], up to the line's end at most.
std::string value_after(std::string_view text, std::size_t at) {
  do ++at;
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t'));
  if (at >= text.size() || !is_quote(text[at])) return {};
  const std::size_t end = text.find_first_of(std::string{text[at], '\n'}, at + 1);
  return std::string(text.substr(at + 1, end == std::string_view::npos ? end : end - at - 1));
}

// "NAME": "value" and NAME = "value", wherever they stand: the text may be one that does not parse.
void add_named(std::string_view text, std::vector<Secret>& out) {
  for (std::size_t at = text.find_first_of(":="); at != std::string_view::npos;
       at = text.find_first_of(":=", at + 1)) {
    const std::string name = name_before(text, at);
    if (name.empty() || !names_a_secret(name)) continue;
    if (std::string value = value_after(text, at); !value.empty()) out.push_back({name, value});
  }
}

}  // namespace

std::vector<Secret> secrets_beside(const std::filesystem::path& config) {
  std::vector<Secret> out;
  if (config.empty()) return out;
  if (const auto text = project::read_config_file(config)) add_named(*text, out);
  std::error_code failed;
  std::size_t files = 0;
  for (std::filesystem::directory_iterator at(config.parent_path(), failed), end;
       !failed && at != end && files < kFilesMax; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(".dev.vars") && !name.starts_with(".env")) continue;
    ++files;
    const auto text = project::read_config_file(at->path());
    if (!text) continue;
    for (project::DotenvEntry& entry : project::parse_dotenv(*text)) {
      out.push_back({std::move(entry.key), std::move(entry.value)});
    }
  }
  return out;
}

}  // namespace hearth::log
