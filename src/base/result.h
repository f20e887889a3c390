// Result<T>: a value or an expected failure. Expected failures (bad input, a peer that left, a
// limit that was hit) travel as values; bugs are ASSERTs; exceptions stay at third-party edges.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace hearth {

// What kind of failure it is, for those callers that react differently. A code exists only where
// some caller does.
enum class ErrorCode {
  kInvalid,    // the input is wrong and stays wrong
  kNotFound,   // the thing named does not exist
  kLimit,      // a limit was hit
  kIo,         // the operating system refused
  kCorrupt,    // stored data cannot be read
  kConflict,   // another owner, or a contradiction with what is stored
  kCancelled,  // the other side left, or a shutdown
};

std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string message;  // one sentence, without a trailing full stop
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by intent
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    ASSERT(ok(), error().message);
    return std::get<0>(state_);
  }
  const T& value() const& {
    ASSERT(ok(), error().message);
    return std::get<0>(state_);
  }
  T&& value() && {
    ASSERT(ok(), error().message);
    return std::get<0>(std::move(state_));
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }

  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by intent

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace hearth
