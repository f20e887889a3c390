#include "project/jsonc_tokens.h"

#include <algorithm>

namespace hearth::project {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool ends_word(char c) {
  return is_space(c) || c == ',' || c == ':' || c == '{' || c == '}' || c == '[' || c == ']' ||
         c == '"' || c == '/' || c == '\'';
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { out_.blanked.assign(text); }

  Tokens run() {
    if (text_.starts_with(kByteOrderMark)) blank(0, at_ = kByteOrderMark.size());
    while (at_ < text_.size() && !out_.fault) step();
    return std::move(out_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (is_space(c)) {
      ++at_;
    } else if (c == '/') {
      comment();
    } else if (c == '"') {
      string();
    } else if (c == '\'') {
      fail(at_, "strings are written in double quotes (\"), not single ones");
    } else if (c == '{' || c == '[') {
      push(Token::Kind::kOpen, at_, 1);
    } else if (c == '}' || c == ']') {
      drop_trailing_comma();
      push(Token::Kind::kClose, at_, 1);
    } else if (c == ':') {
      push(Token::Kind::kColon, at_, 1);
    } else if (c == ',') {
      push(Token::Kind::kComma, at_, 1);
    } else {
      std::size_t end = at_ + 1;
      while (end < text_.size() && !ends_word(text_[end])) ++end;
      push(Token::Kind::kWord, at_, end - at_);
    }
  }

  void comment() {
    const std::size_t start = at_;
    if (text_.substr(at_).starts_with("//")) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (text_.substr(at_).starts_with("/*")) {
      const std::size_t end = text_.find("*/", at_ + 2);
      if (end == std::string_view::npos) {
        fail(start, "this comment is never closed: \"*/\" is missing");
        return;
      }
      at_ = end + 2;
    } else {
      fail(start, "a single \"/\" means nothing here; comments begin with // or /*");
      return;
    }
    blank(start, at_);
  }

  void string() {
    const std::size_t start = at_++;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        const std::size_t length = at_ + 1 - start;
        at_ = start;
        push(Token::Kind::kString, start, length);
        return;
      }
      if (c == '\n') break;
      at_ += c == '\\' ? 2 : 1;
    }
    fail(start, "this string has no closing quote on its line");
  }

  // A comma before a closing bracket is allowed, if there is something before it.
  void drop_trailing_comma() {
    const auto& tokens = out_.tokens;
    if (tokens.size() < 2 || tokens.back().kind != Token::Kind::kComma) return;
    const Token::Kind before = tokens[tokens.size() - 2].kind;
    if (before == Token::Kind::kOpen || before == Token::Kind::kComma ||
        before == Token::Kind::kColon) {
      return;
    }
    blank(tokens.back().offset, tokens.back().offset + 1);
    out_.tokens.pop_back();
  }

  void push(Token::Kind kind, std::size_t offset, std::size_t length) {
    out_.tokens.push_back({kind, offset, length});
    at_ = offset + length;
  }

  void blank(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (out_.blanked[i] != '\n') out_.blanked[i] = ' ';
    }
  }

  void fail(std::size_t offset, std::string message) {
    out_.fault = Fault{offset, std::move(message)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Tokens out_;
};

std::string quoted(std::string_view text, const Token& token) {
  constexpr std::size_t kShownMax = 40;
  std::string shown(text.substr(token.offset, std::min(token.length, kShownMax)));
  if (token.length > kShownMax) shown += "…";
  return token.kind == Token::Kind::kString ? shown : "\"" + shown + "\"";
}

std::string comma_message(std::string_view text, const Token& before) {
  const Position end = position_at(text, before.offset + before.length - 1);
  return "comma missing after line " + std::to_string(end.line) + " (after " +
         quoted(text, before) + ")";
}

// Follows the grammar over the tokens until they leave it.
class FaultFinder {
 public:
  FaultFinder(std::string_view text, const std::vector<Token>& tokens)
      : text_(text), tokens_(tokens) {}

  std::optional<Fault> find() {
    if (tokens_.empty()) return Fault{text_.size(), "the file is empty; it should hold { … }"};
    if (tokens_[0].kind == Token::Kind::kString && tokens_.size() > 1 &&
        tokens_[1].kind == Token::Kind::kColon) {
      return Fault{tokens_[0].offset,
                   "this is the inside of an object without its braces: put { before it and } "
                   "after the last line (C102)"};
    }
    for (; at_ < tokens_.size(); ++at_) {
      if (std::optional<Fault> fault = token()) return fault;
    }
    if (!open_.empty()) {
      const Position opened = position_at(text_, open_.back());
      return Fault{text_.size(), std::string("the file ends, but the ") + text_[open_.back()] +
                                     " of line " + std::to_string(opened.line) +
                                     " is never closed"};
    }
    return std::nullopt;
  }

 private:
  enum class Expect { kValue, kKeyOrClose, kKey, kColon, kCommaOrClose, kEnd };

  std::optional<Fault> token() {
    const Token& token = tokens_[at_];
    switch (expect_) {
      case Expect::kValue:
        return value(token);
      case Expect::kKeyOrClose:
      case Expect::kKey:
        return key(token);
      case Expect::kColon:
        if (token.kind == Token::Kind::kColon) {
          expect_ = Expect::kValue;
          return std::nullopt;
        }
        return Fault{token.offset, "after the key " + quoted(text_, tokens_[at_ - 1]) +
                                       " a colon and a value are expected"};
      case Expect::kCommaOrClose:
        return comma_or_close(token);
      case Expect::kEnd:
        return Fault{token.offset, "the object ends before this, yet more follows: " +
                                       quoted(text_, token) + " does not belong to it"};
    }
    return std::nullopt;
  }

  std::optional<Fault> value(const Token& token) {
    switch (token.kind) {
      case Token::Kind::kOpen:
        open_.push_back(token.offset);
        expect_ = text_[token.offset] == '{' ? Expect::kKeyOrClose : Expect::kValue;
        return std::nullopt;
      case Token::Kind::kString:
        after_value();
        return std::nullopt;
      case Token::Kind::kWord: {
        const std::string_view word = text_.substr(token.offset, token.length);
        const bool number = word[0] == '-' || (word[0] >= '0' && word[0] <= '9');
        if (!number && word != "true" && word != "false" && word != "null") {
          return Fault{token.offset, quoted(text_, token) +
                                         " is no value; text is written in double quotes: \"" +
                                         std::string(word) + "\""};
        }
        after_value();
        return std::nullopt;
      }
      case Token::Kind::kClose:
        if (text_[token.offset] == ']' && at_ > 0 && tokens_[at_ - 1].kind == Token::Kind::kOpen) {
          return close(token);
        }
        return Fault{token.offset, "a value is missing before " + quoted(text_, token)};
      case Token::Kind::kComma:
      case Token::Kind::kColon:
        return Fault{token.offset, "a value is missing before " + quoted(text_, token)};
    }
    return std::nullopt;
  }

  std::optional<Fault> key(const Token& token) {
    if (token.kind == Token::Kind::kString) {
      expect_ = Expect::kColon;
      return std::nullopt;
    }
    if (token.kind == Token::Kind::kClose && expect_ == Expect::kKeyOrClose) return close(token);
    if (token.kind == Token::Kind::kWord) {
      return Fault{token.offset, "keys are written in double quotes: \"" +
                                     std::string(text_.substr(token.offset, token.length)) + "\""};
    }
    if (token.kind == Token::Kind::kComma) return Fault{token.offset, "there is a comma too many"};
    return Fault{token.offset, "a key in double quotes is expected, not " + quoted(text_, token)};
  }

  std::optional<Fault> comma_or_close(const Token& token) {
    if (token.kind == Token::Kind::kComma) {
      expect_ = text_[open_.back()] == '{' ? Expect::kKey : Expect::kValue;
      return std::nullopt;
    }
    if (token.kind == Token::Kind::kClose) return close(token);
    if (token.kind == Token::Kind::kColon) {
      return Fault{token.offset, "a colon is out of place here"};
    }
    return Fault{token.offset, comma_message(text_, tokens_[at_ - 1])};
  }

  std::optional<Fault> close(const Token& token) {
    const char opened = text_[open_.back()];
    const char wanted = opened == '{' ? '}' : ']';
    if (text_[token.offset] != wanted) {
      const Position where = position_at(text_, open_.back());
      return Fault{token.offset, std::string("the ") + opened + " of line " +
                                     std::to_string(where.line) + " is closed by " + wanted +
                                     ", not by " + text_[token.offset]};
    }
    open_.pop_back();
    after_value();
    return std::nullopt;
  }

  void after_value() { expect_ = open_.empty() ? Expect::kEnd : Expect::kCommaOrClose; }

  std::string_view text_;
  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
  Expect expect_ = Expect::kValue;
  std::vector<std::size_t> open_;  // offsets of the brackets that are open
};

}  // namespace

Tokens tokenize_jsonc(std::string_view text) {
  return Lexer(text).run();
}

Fault explain_fault(std::string_view text, const Tokens& tokens, std::size_t offset) {
  if (std::optional<Fault> fault = FaultFinder(text, tokens.tokens).find()) return *fault;
  // The shape is right, so one token's inside is wrong: an escape, a number, a control character.
  for (const Token& token : tokens.tokens) {
    if (offset < token.offset || offset > token.offset + token.length) continue;
    if (token.kind == Token::Kind::kString) {
      return {token.offset, "this string holds an escape or a character that JSON does not allow"};
    }
    return {token.offset, quoted(text, token) + " is not a number that JSON allows"};
  }
  return {std::min(offset, text.size()), "this is not valid JSON"};
}

Position position_at(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
  return {line, static_cast<std::uint32_t>(offset - start) + 1};
}

}  // namespace hearth::project
