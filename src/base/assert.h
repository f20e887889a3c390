// ASSERT: a bug stops the process with its place and reason, in every build. It never guards input.
#pragma once

#include <string_view>

namespace hearth {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line,
                                   std::string_view reason);

}  // namespace hearth

#define ASSERT(expression, reason)                                           \
  do {                                                                       \
    if (!(expression)) [[unlikely]] {                                        \
      ::hearth::assertion_failed(#expression, __FILE__, __LINE__, (reason)); \
    }                                                                        \
  } while (false)
