// Moments as text, in UTC and as ISO 8601 has them. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace hearth {

// Milliseconds since the epoch as "2026-01-31T23:59:59Z"
std::string time_text(std::int64_t at_ms);
// and as "2026-01-31T23:59:59.123Z".
std::string time_text_ms(std::int64_t at_ms);

}  // namespace hearth
