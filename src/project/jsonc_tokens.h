// The lexer below parse_jsonc: where each token of a JSONC text begins, and the same text with
// comments and trailing commas blanked out, byte for byte, so that offsets stay true.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "project/value.h"

namespace hearth::project {

struct Token {
  enum class Kind { kOpen, kClose, kColon, kComma, kString, kWord };  // kWord: numbers, true, …
  Kind kind = Kind::kWord;
  std::size_t offset = 0;
  std::size_t length = 0;
};

struct Fault {
  std::size_t offset = 0;
  std::string message;
};

struct Tokens {
  std::vector<Token> tokens;
  std::string blanked;         // valid JSON if the text was valid JSONC
  std::optional<Fault> fault;  // what the lexer itself cannot read
};

Tokens tokenize_jsonc(std::string_view text);

// Says in words what is wrong with the text, which a JSON parser has refused near `offset`. The
// first fault in the order of tokens is told: it is the one a reader meets first.
Fault explain_fault(std::string_view text, const Tokens& tokens, std::size_t offset);

Position position_at(std::string_view text, std::size_t offset);

}  // namespace hearth::project
