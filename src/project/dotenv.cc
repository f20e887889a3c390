#include "project/dotenv.h"

#include <algorithm>
#include <optional>

namespace hearth::project {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}
bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}
bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (is_blank(text.front()) || is_line_end(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && (is_blank(text.back()) || is_line_end(text.back())))
    text.remove_suffix(1);
  return text;
}

std::string unescape_line_ends(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' && (next == 'n' || next == 'r')) {
      out += next == 'n' ? '\n' : '\r';
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<DotenvEntry> run(std::vector<std::uint32_t>* skipped) {
    while (at_ < text_.size()) {
      const std::size_t start = at_;
      if (!entry()) {
        at_ = start;
        if (skipped != nullptr && says_something()) skipped->push_back(line_at(start));
      }
      skip_line();
    }
    return std::move(entries_);
  }

 private:
  // The line that begins here.
  bool says_something() const {
    std::size_t at = at_;
    while (at < text_.size() && is_blank(text_[at])) ++at;
    return at < text_.size() && !is_line_end(text_[at]) && text_[at] != '#';
  }

  std::uint32_t line_at(std::size_t offset) const {
    return 1 + static_cast<std::uint32_t>(std::count(
                   text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
  }

  // At the start of a line: reads an entry and stops on its last line. False: it is none.
  bool entry() {
    skip_blanks();
    std::size_t begin = at_;
    std::string_view key = word();
    if (key == "export" && at_ < text_.size() && is_blank(text_[at_])) {
      const std::size_t after = at_;
      skip_blanks();
      begin = at_;
      const std::string_view exported = word();
      if (exported.empty()) {
        at_ = after;
        begin = after - key.size();
      } else {
        key = exported;
      }
    }
    if (key.empty()) return false;
    skip_blanks();
    const bool colon = at_ + 1 < text_.size() && text_[at_] == ':' && is_blank(text_[at_ + 1]);
    if (!colon && (at_ >= text_.size() || text_[at_] != '=')) return false;
    ++at_;
    add(key, begin, value());
    return true;
  }

  std::string value() {
    skip_blanks();
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'' || text_[at_] == '`')) {
      if (std::optional<std::string> text = quoted()) return *text;
    }
    const std::size_t start = at_;
    while (at_ < text_.size() && !is_line_end(text_[at_]) && text_[at_] != '#') ++at_;
    const std::string_view plain = trim(text_.substr(start, at_ - start));
    // A quote that is never closed is part of the value.
    return plain.starts_with('"') ? unescape_line_ends(plain) : std::string(plain);
  }

  // A quoted value counts as one only if nothing but a comment follows it on its line.
  std::optional<std::string> quoted() {
    const char quote = text_[at_];
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) {
      end += text_[end] == '\\' && end + 1 < text_.size() && text_[end + 1] == quote ? 2 : 1;
    }
    if (end >= text_.size()) return std::nullopt;
    std::size_t after = end + 1;
    while (after < text_.size() && is_blank(text_[after])) ++after;
    if (after < text_.size() && !is_line_end(text_[after]) && text_[after] != '#') {
      return std::nullopt;
    }
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = after;
    return quote == '"' ? unescape_line_ends(inside) : std::string(inside);
  }

  void add(std::string_view key, std::size_t offset, std::string value) {
    while (counted_ < offset) line_ += text_[counted_++] == '\n' ? 1 : 0;
    const std::size_t newline =
        offset == 0 ? std::string_view::npos : text_.rfind('\n', offset - 1);
    const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
    const Position at{line_, static_cast<std::uint32_t>(offset - line_start) + 1};
    std::erase_if(entries_, [&](const DotenvEntry& entry) { return entry.key == key; });
    entries_.push_back({std::string(key), std::move(value), at});
  }

  std::string_view word() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_key_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  void skip_line() {
    while (at_ < text_.size() && !is_line_end(text_[at_])) ++at_;
    if (at_ < text_.size()) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t counted_ = 0;
  std::uint32_t line_ = 1;
  std::vector<DotenvEntry> entries_;
};

// Expands values. References are followed so deep at most, which ends cycles; all of a file's
// values together follow no more than so many, and a value grows to no more than so many bytes.
constexpr int kReferenceDepthMax = 10;
constexpr int kReferencesMax = 10'000;
constexpr std::size_t kExpandedBytesMax = 65'536;

class Expander {
 public:
  Expander(const std::vector<DotenvEntry>& entries, const std::vector<DotenvEntry>& earlier)
      : entries_(entries), earlier_(earlier) {}

  std::string expand(std::string_view text, std::string_view own, int depth) const {
    std::string out;
    for (std::size_t i = 0; i < text.size() && out.size() < kExpandedBytesMax;) {
      if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '$') {
        out += '$';
        i += 2;
      } else if (text[i] == '$' && i + 1 < text.size()) {
        i = reference(text, i, own, depth, out);
      } else {
        out += text[i++];
      }
    }
    return out;
  }

 private:
  // At a dollar sign; appends what it stands for and returns where the text goes on.
  std::size_t reference(std::string_view text, std::size_t i, std::string_view own, int depth,
                        std::string& out) const {
    const bool braces = text[i + 1] == '{';
    std::size_t end = i + (braces ? 2 : 1);
    const std::size_t start = end;
    while (end < text.size() && is_key_char(text[end]) && (braces || text[end] != '-') &&
           (braces || text[end] != '.')) {
      ++end;
    }
    const std::string_view name = text.substr(start, end - start);
    std::string_view otherwise;
    if (braces) {
      const std::size_t close = text.find('}', end);
      const std::string_view rest =
          text.substr(end, close == std::string_view::npos ? 0 : close - end);
      const bool simple = rest.empty();
      const bool fallback = rest.starts_with(":-") || rest.starts_with("-");
      if (close == std::string_view::npos || name.empty() || (!simple && !fallback)) {
        out += text[i];
        return i + 1;
      }
      if (fallback) otherwise = rest.substr(rest[0] == ':' ? 2 : 1);
      end = close + 1;
    } else if (name.empty()) {
      out += text[i];
      return i + 1;
    }
    const std::string found = lookup(name, own, depth);
    out += found.empty() ? std::string(otherwise) : found;
    return end;
  }

  std::string lookup(std::string_view name, std::string_view own, int depth) const {
    if (name != own && depth < kReferenceDepthMax && followed_ < kReferencesMax) {
      ++followed_;
      for (const DotenvEntry& entry : entries_) {
        if (entry.key == name) return expand(entry.value, name, depth + 1);
      }
    }
    for (const DotenvEntry& entry : earlier_) {
      if (entry.key == name) return entry.value;
    }
    return {};
  }

  const std::vector<DotenvEntry>& entries_;
  const std::vector<DotenvEntry>& earlier_;
  mutable int followed_ = 0;
};

}  // namespace

std::vector<DotenvEntry> parse_dotenv(std::string_view text, std::vector<std::uint32_t>* skipped) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return Parser(text).run(skipped);
}

void expand_references(std::vector<DotenvEntry>& entries, const std::vector<DotenvEntry>& earlier) {
  const Expander expander(entries, earlier);
  std::vector<std::string> values;
  values.reserve(entries.size());
  for (const DotenvEntry& entry : entries)
    values.push_back(expander.expand(entry.value, entry.key, 0));
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].value = std::move(values[i]);
}

}  // namespace hearth::project
