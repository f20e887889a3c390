// Cron expressions as Cloudflare's cron triggers take them: five fields (minute, hour, day of the
// month, month, day of the week), each with lists, ranges, steps and names, in UTC. Days of the
// week are 1 to 7 from Sunday to Saturday, as there (0 is taken for Sunday too); "L" and "W" are
// not read. When both days are restricted either matches. Pure.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::core {

class Cron {
 public:
  // kInvalid says which field, and why.
  static Result<Cron> parse(std::string_view expression);

  // The first time that matches strictly after `after_ms` (since the epoch), or nullopt if none
  // comes within five years ("0 0 30 2 *").
  std::optional<std::int64_t> next(std::int64_t after_ms) const;
  bool matches(std::int64_t minute_start_ms) const;

 private:
  bool day_matches(unsigned month, unsigned day, unsigned week_day) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;      // 1 to 31
  std::bitset<13> months_;    // 1 to 12
  std::bitset<7> week_days_;  // 0 is Sunday
  bool any_day_ = false;      // the field began with *
  bool any_week_day_ = false;
};

}  // namespace hearth::core
