#include "project/jsonc.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "project/jsonc_tokens.h"

namespace hearth::project {
namespace {

// Line starts, so that a position costs a binary search.
class Lines {
 public:
  explicit Lines(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }
  Position at(std::size_t offset) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    return {static_cast<std::uint32_t>(next - starts_.begin()),
            static_cast<std::uint32_t>(offset - *(next - 1)) + 1};
  }

 private:
  std::vector<std::size_t> starts_{0};
};

// Builds the tree from the parser's events. Each event but the end of a key or scalar belongs to
// the next token that is no comma and no colon, which gives it its place.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  TreeBuilder(std::string_view text, const std::vector<Token>& tokens)
      : lines_(text), tokens_(tokens) {}

  bool null() override { return add({}); }
  bool boolean(bool boolean) override {
    Value value;
    value.kind = Value::Kind::kBoolean;
    value.boolean = boolean;
    return add(std::move(value));
  }
  bool number_integer(number_integer_t number) override {
    Value value;
    value.kind = Value::Kind::kInteger;
    value.integer = number;
    value.number = static_cast<double>(number);
    return add(std::move(value));
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (number <= static_cast<number_unsigned_t>(INT64_MAX)) {
      return number_integer(static_cast<number_integer_t>(number));
    }
    return number_float(static_cast<double>(number), {});
  }
  bool number_float(number_float_t number, const string_t&) override {
    Value value;
    value.kind = Value::Kind::kNumber;
    value.number = number;
    return add(std::move(value));
  }
  bool string(string_t& text) override { return add(make_string(std::move(text))); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Value::Kind::kObject); }
  bool start_array(std::size_t) override { return open(Value::Kind::kArray); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& text) override {
    const Position at = next_position();
    auto& members = open_.back().members;
    const auto known = std::find_if(members.begin(), members.end(),
                                    [&](const Member& member) { return member.key == text; });
    if (known != members.end()) {
      duplicates.push_back({text, known->at, at});
      members.erase(known);
    }
    members.push_back({std::move(text), at, {}});
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    error_offset = position == 0 ? 0 : position - 1;
    return false;
  }

  Value root;
  std::vector<Duplicate> duplicates;
  std::size_t error_offset = 0;
  bool too_deep = false;

 private:
  Position next_position() {
    while (next_ < tokens_.size() && (tokens_[next_].kind == Token::Kind::kComma ||
                                      tokens_[next_].kind == Token::Kind::kColon)) {
      ++next_;
    }
    return next_ < tokens_.size() ? lines_.at(tokens_[next_++].offset) : Position{};
  }

  bool add(Value value) {
    value.at = next_position();
    place(std::move(value));
    return true;
  }

  bool open(Value::Kind kind) {
    if (open_.size() >= kConfigDepthMax) {
      too_deep = true;
      error_offset = next_ < tokens_.size() ? tokens_[next_].offset : 0;
      return false;
    }
    Value value;
    value.kind = kind;
    value.at = next_position();
    open_.push_back(std::move(value));
    return true;
  }

  bool close() {
    next_position();
    Value value = std::move(open_.back());
    open_.pop_back();
    place(std::move(value));
    return true;
  }

  void place(Value value) {
    if (open_.empty()) {
      root = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().items.push_back(std::move(value));
    } else {
      open_.back().members.back().value = std::move(value);
    }
  }

  Lines lines_;
  const std::vector<Token>& tokens_;
  std::size_t next_ = 0;
  std::vector<Value> open_;
};

Error located(std::string_view text, std::string_view file_name, const Fault& fault) {
  const Position at = position_at(text, fault.offset);
  const bool worded =
      fault.message.ends_with(")") && fault.message.find("(C1") != std::string::npos;
  return {ErrorCode::kInvalid, std::string(file_name) + ":" + std::to_string(at.line) + ":" +
                                   std::to_string(at.column) + ": " + fault.message +
                                   (worded ? "" : " (C101)")};
}

}  // namespace

Result<ParsedConfig> parse_jsonc(std::string_view text, std::string_view file_name) {
  const Tokens tokens = tokenize_jsonc(text);
  if (tokens.fault) return located(text, file_name, *tokens.fault);

  TreeBuilder builder(text, tokens.tokens);
  if (!nlohmann::json::sax_parse(tokens.blanked, &builder)) {
    if (builder.too_deep) {
      return located(text, file_name, {builder.error_offset, "the nesting is deeper than 100"});
    }
    return located(text, file_name, explain_fault(text, tokens, builder.error_offset));
  }
  return ParsedConfig{std::move(builder.root), std::move(builder.duplicates)};
}

}  // namespace hearth::project
