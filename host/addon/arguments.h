// The arguments of one call from JavaScript, checked. The first that is wrong leaves a TypeError
// pending in the environment and makes `ok()` false; what is read after it is empty. Strings and
// bytes are views that live until the call returns. JavaScript thread only.
#pragma once

#include <node_api.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "arena.h"
#include "base/ids.h"

namespace hearth::addon {

class Database;
class Host;

class Arguments {
 public:
  static constexpr std::size_t kMax = 9;

  Arguments(napi_env env, napi_callback_info info);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  bool ok() const { return ok_; }
  Host& host() const { return *host_; }
  napi_env env() const { return env_; }
  napi_value self() const { return self_; }
  napi_value value(std::size_t index) const { return values_[index]; }
  std::size_t count() const { return count_; }
  bool absent(std::size_t index) const;

  // A whole number from 0 to `max`.
  std::uint64_t number(std::size_t index, std::uint64_t max);
  template <typename Integer>
  Integer integer(std::size_t index) {
    return static_cast<Integer>(number(index, static_cast<Integer>(-1)));
  }
  // A whole number of either sign, exact.
  std::int64_t signed_number(std::size_t index);
  RequestId request(std::size_t index) { return {number(index, kIdMax)}; }
  ConnectionId connection(std::size_t index) { return {number(index, kIdMax)}; }

  std::string_view text(std::size_t index);
  // Empty for null and undefined.
  std::string_view text_or_null(std::size_t index);
  // An ArrayBuffer or a view of one; the bytes are JavaScript's own until the call returns.
  std::string_view bytes(std::size_t index);
  std::string_view bytes_or_null(std::size_t index);
  // A string (as UTF-8; `is_text` true) or bytes.
  std::string_view text_or_bytes(std::size_t index, bool& is_text);

  // A namespace's index and, in the next argument, 64 hex digits.
  AgentId agent(std::size_t index);
  // A Database, or null.
  Database* gate(std::size_t index);

  // Throws a TypeError: "argument N is to be EXPECTED", or the whole message.
  void fail(std::size_t index, const char* expected);
  void refuse(const char* message);

 private:
  static constexpr std::uint64_t kIdMax = (std::uint64_t{1} << kIdBits) - 1;

  napi_env env_;
  Host* host_ = nullptr;
  napi_value self_ = nullptr;
  std::array<napi_value, kMax> values_{};
  std::size_t count_ = 0;
  bool ok_ = true;
};

// Decodes a JavaScript string into the arena as UTF-8 (lone surrogates become U+FFFD). False if
// `value` is not a string.
bool decode_string(napi_env env, napi_value value, Arena& arena, std::string_view& text);
// The bytes of an ArrayBuffer, typed array or DataView, without a copy.
bool view_bytes(napi_env env, napi_value value, std::string_view& bytes);

}  // namespace hearth::addon
