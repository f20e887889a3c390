#include "base/time_text.h"

#include <cstdio>
#include <ctime>

namespace hearth {

std::string time_text(std::int64_t at_ms) {
  const std::time_t seconds = at_ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string time_text_ms(std::int64_t at_ms) {
  char fraction[8];
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(at_ms % 1000));
  std::string text = time_text(at_ms);
  return text.replace(text.size() - 1, 1, fraction);
}

}  // namespace hearth
