#include "project/config_edits.h"

#include <algorithm>

#include "project/jsonc.h"
#include "project/jsonc_tokens.h"
#include "project/toml.h"

namespace hearth::project {
namespace {

using Kind = Token::Kind;

bool is_toml(const std::filesystem::path& file) {
  return file.extension() == ".toml";
}

std::size_t end_of(const Token& token) {
  return token.offset + token.length;
}

// The index of the bracket that closes the one at `open`; tokens.size() when nothing does.
std::size_t closing(const std::vector<Token>& tokens, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t i = open; i < tokens.size(); ++i) {
    if (tokens[i].kind == Kind::kOpen) ++depth;
    if (tokens[i].kind == Kind::kClose && --depth == 0) return i;
  }
  return tokens.size();
}

// The blanks before the first token of the line on which `offset` lies.
std::string indentation(std::string_view text, std::size_t offset) {
  const std::size_t newline = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
  std::size_t end = start;
  while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
  return std::string(text.substr(start, end - start));
}

bool same_line(std::string_view text, std::size_t from, std::size_t to) {
  return text.substr(from, to - from).find('\n') == std::string_view::npos;
}

// Adds an entry at the end of the list or object that opens at `open`.
std::optional<Edit> append_entry(std::string_view text, const std::filesystem::path& file,
                                 std::size_t open, std::string_view entry) {
  const std::vector<Token> tokens = tokenize_jsonc(text).tokens;
  std::size_t at = 0;
  while (at < tokens.size() && tokens[at].offset != open) ++at;
  if (at == tokens.size() || tokens[at].kind != Kind::kOpen) return std::nullopt;
  const std::size_t close = closing(tokens, at);
  if (close == tokens.size()) return std::nullopt;
  const Token& last = tokens[close - 1];
  const bool empty = close == at + 1;
  const bool one_line = same_line(text, open, tokens[close].offset);
  Edit edit{file, end_of(last), 0, ""};
  if (!empty && last.kind != Kind::kComma) edit.text = ",";
  if (one_line) {
    edit.text += empty ? std::string(entry) : " " + std::string(entry);
    return edit;
  }
  const std::string indent = empty ? indentation(text, tokens[close].offset) + "  "
                                   : indentation(text, tokens[at + 1].offset);
  edit.text += "\n" + indent + std::string(entry);
  return edit;
}

const Value* member_of(const Value& root, std::string_view key) {
  const Member* member = root.find_member(key);
  return member == nullptr ? nullptr : &member->value;
}

// A tag that no migration has: "v" and the next number.
std::string next_tag(const Value* migrations) {
  std::vector<std::string> tags;
  if (migrations != nullptr) {
    for (const Value& each : migrations->items) {
      const Value* tag = each.is_object() ? each.find("tag") : nullptr;
      if (tag != nullptr && tag->is_string()) tags.push_back(tag->text);
    }
  }
  for (std::size_t number = tags.size() + 1;; ++number) {
    const std::string tag = "v" + std::to_string(number);
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) return tag;
  }
}

class Proposer {
 public:
  Proposer(std::string_view text, const std::filesystem::path& file, const Value* root)
      : text_(text), file_(file), root_(root) {}

  void propose(Finding& finding) {
    if (finding.code == "C101") comma(finding);
    if (finding.code == "C102") braces(finding);
    if (root_ == nullptr) return;
    if (finding.code == "C103" && !finding.wanted.empty()) replace(finding);
    if (finding.code == "C107") replace(finding);
    if (finding.code == "C108" && !finding.subject.empty()) bind(finding);
    if (finding.code == "C113" && !finding.wanted.empty()) date(finding);
    if (finding.code == "C114") migration(finding);
    if (finding.code == "C115") with_sql(finding);
  }

 private:
  void put(Finding& finding, std::optional<Edit> edit, bool safe) {
    if (!edit) return;
    finding.edits = {*std::move(edit)};
    finding.safe = safe;
  }

  void replace(Finding& finding) {
    put(finding, replace_string(text_, file_, finding.at, finding.wanted), false);
  }

  void comma(Finding& finding) {
    if (is_toml(file_) || !finding.message.starts_with("comma missing")) return;
    const std::vector<Token> tokens = tokenize_jsonc(text_).tokens;
    const std::size_t offset = offset_of(text_, finding.at);
    const auto next = std::find_if(tokens.begin(), tokens.end(),
                                   [&](const Token& each) { return each.offset >= offset; });
    if (next == tokens.begin() || next == tokens.end()) return;
    put(finding, Edit{file_, end_of(*std::prev(next)), 0, ","}, true);
  }

  void braces(Finding& finding) {
    const std::vector<Token> tokens = tokenize_jsonc(text_).tokens;
    if (tokens.size() < 3 || tokens[0].kind != Kind::kString || tokens[1].kind != Kind::kColon) {
      return;
    }
    finding.edits = {Edit{file_, tokens.front().offset, 0, "{\n"},
                     Edit{file_, end_of(tokens.back()), 0, "\n}"}};
    finding.safe = true;
  }

  void date(Finding& finding) {
    put(finding,
        add_member(text_, file_, "\"compatibility_date\": \"" + finding.wanted + "\"",
                   "compatibility_date = \"" + finding.wanted + "\"\n"),
        !is_toml(file_));
    // At the end of a TOML file it would belong to the last table.
    if (is_toml(file_)) {
      finding.edits = {Edit{file_, 0, 0, "compatibility_date = \"" + finding.wanted + "\"\n"}};
      finding.safe = true;
    }
  }

  void bind(Finding& finding) {
    const std::string& name = finding.subject;
    put(finding,
        add_member(text_, file_,
                   "\"durable_objects\": { \"bindings\": [{ \"name\": \"" + name +
                       "\", \"class_name\": \"" + name + "\" }] }",
                   "\n[[durable_objects.bindings]]\nname = \"" + name + "\"\nclass_name = \"" +
                       name + "\"\n"),
        member_of(*root_, "durable_objects") == nullptr);
    if (!finding.safe) finding.edits.clear();
  }

  void migration(Finding& finding) {
    if (member_of(*root_, "exports") != nullptr) return;
    const Value* list = member_of(*root_, "migrations");
    const std::string tag = next_tag(list);
    const std::string entry =
        "{ \"tag\": \"" + tag + "\", \"new_sqlite_classes\": [\"" + finding.subject + "\"] }";
    const std::string table = "\n[[migrations]]\ntag = \"" + tag + "\"\nnew_sqlite_classes = [\"" +
                              finding.subject + "\"]\n";
    if (list != nullptr && !is_toml(file_)) {
      put(finding, append_entry(text_, file_, offset_of(text_, list->at), entry), true);
    } else {
      put(finding, add_member(text_, file_, "\"migrations\": [" + entry + "]", table), true);
    }
  }

  // Only where the list names this class alone: else two lists would change.
  void with_sql(Finding& finding) {
    if (is_toml(file_)) return;
    const std::vector<Token> tokens = tokenize_jsonc(text_).tokens;
    const std::size_t offset = offset_of(text_, finding.at);
    for (std::size_t i = 3; i + 1 < tokens.size(); ++i) {
      if (tokens[i].offset != offset || tokens[i - 1].kind != Kind::kOpen) continue;
      const bool alone = tokens[i + 1].kind == Kind::kClose ||
                         (tokens[i + 1].kind == Kind::kComma && i + 2 < tokens.size() &&
                          tokens[i + 2].kind == Kind::kClose);
      const Token& key = tokens[i - 3];
      if (!alone || text_.substr(key.offset, key.length) != "\"new_classes\"") return;
      put(finding, Edit{file_, key.offset, key.length, "\"new_sqlite_classes\""}, false);
      return;
    }
  }

  std::string_view text_;
  const std::filesystem::path& file_;
  const Value* root_;
};

}  // namespace

std::optional<Edit> replace_string(std::string_view text, const std::filesystem::path& file,
                                   Position at, std::string_view wanted) {
  const std::size_t offset = offset_of(text, at);
  if (at.line == 0 || offset >= text.size()) return std::nullopt;
  const char quote = text[offset];
  if (quote == '"' || quote == '\'') {
    const std::size_t end = text.find(quote, offset + 1);
    if (end == std::string_view::npos) return std::nullopt;
    return Edit{file, offset + 1, end - offset - 1, std::string(wanted)};
  }
  std::size_t end = offset;
  const auto in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  while (end < text.size() && in_name(text[end])) ++end;
  if (end == offset) return std::nullopt;
  return Edit{file, offset, end - offset, std::string(wanted)};
}

std::optional<Edit> add_member(std::string_view text, const std::filesystem::path& file,
                               std::string_view jsonc, std::string_view toml) {
  if (is_toml(file)) {
    const bool ended = text.empty() || text.ends_with('\n');
    return Edit{file, text.size(), 0, (ended ? "" : "\n") + std::string(toml)};
  }
  const std::vector<Token> tokens = tokenize_jsonc(text).tokens;
  if (tokens.empty() || tokens.front().kind != Kind::kOpen) return std::nullopt;
  return append_entry(text, file, tokens.front().offset, jsonc);
}

void propose_config_edits(std::string_view text, const std::filesystem::path& file,
                          std::vector<Finding>& findings) {
  const std::string name = file.filename().string();
  const Result<ParsedConfig> parsed =
      is_toml(file) ? parse_toml(text, name) : parse_jsonc(text, name);
  const Value* root = parsed && parsed->root.is_object() ? &parsed->root : nullptr;
  Proposer proposer(text, file, root);
  for (Finding& finding : findings) {
    if (finding.file == file) proposer.propose(finding);
  }
}

}  // namespace hearth::project
