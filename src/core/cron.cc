#include "core/cron.h"

#include <array>
#include <cctype>
#include <charconv>

namespace hearth::core {

namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kDayMs = 86'400'000;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekDays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};

struct Field {
  std::string_view name;
  unsigned first = 0;
  unsigned last = 0;
  bool months = false;
  bool week_days = false;
};

Error wrong(const Field& field, std::string_view text) {
  return Error{ErrorCode::kInvalid,
               "\"" + std::string(text) + "\" is no " + std::string(field.name) + " (" +
                   std::to_string(field.first) + " to " + std::to_string(field.last) + ")"};
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <std::size_t kCount>
std::optional<unsigned> named(std::string_view text,
                              const std::array<std::string_view, kCount>& names) {
  if (text.size() != 3) return std::nullopt;
  std::string lower;
  for (const char c : text) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (std::size_t i = 0; i < kCount; ++i) {
    if (names[i] == lower) return static_cast<unsigned>(i + 1);
  }
  return std::nullopt;
}

std::optional<unsigned> value_of(const Field& field, std::string_view text) {
  std::optional<unsigned> value = number(text);
  if (!value && field.months) value = named(text, kMonths);
  if (!value && field.week_days) value = named(text, kWeekDays);
  if (!value || *value < field.first || *value > field.last) return std::nullopt;
  return value;
}

// Marks in `set` what one field allows.
template <typename Set>
Status read_field(const Field& field, std::string_view text, Set&& set) {
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    std::string_view part = rest.substr(0, comma);
    unsigned step = 1;
    const std::size_t slash = part.find('/');
    const bool stepped = slash != std::string_view::npos;
    if (stepped) {
      const std::optional<unsigned> given = number(part.substr(slash + 1));
      if (!given || *given == 0 || *given > field.last) return wrong(field, part);
      step = *given;
      part = part.substr(0, slash);
    }
    unsigned from = field.first;
    unsigned to = field.last;
    if (part != "*") {
      const std::size_t dash = part.find('-');
      const std::optional<unsigned> start = value_of(field, part.substr(0, dash));
      if (!start) return wrong(field, part);
      from = *start;
      to = stepped ? field.last : from;
      if (dash != std::string_view::npos) {
        const std::optional<unsigned> end = value_of(field, part.substr(dash + 1));
        if (!end || *end < from) return wrong(field, part);
        to = *end;
      }
    }
    for (unsigned value = from; value <= to; value += step) set(value);
    if (comma == std::string_view::npos) return {};
    rest.remove_prefix(comma + 1);
  }
}

struct Date {
  int year = 0;
  unsigned month = 0;  // 1 to 12
  unsigned day = 0;    // 1 to 31
};

// Days since 1970-01-01 to a civil date, by the era of 400 years (146,097 days each).
Date civil_date(std::int64_t days) {
  const std::int64_t shifted = days + 719'468;  // since 0000-03-01
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const auto day_of_era = static_cast<unsigned>(shifted - era * 146'097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month_from_march = (5 * day_of_year + 2) / 153;
  Date date;
  date.day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  date.month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  date.year = static_cast<int>(year_of_era + era * 400) + (date.month <= 2 ? 1 : 0);
  return date;
}

std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
  const std::int64_t rest = value % unit;
  return value - (rest < 0 ? rest + unit : rest);
}

}  // namespace

Result<Cron> Cron::parse(std::string_view expression) {
  std::array<std::string_view, 5> fields;
  std::size_t count = 0;
  std::string_view rest = expression;
  while (true) {
    const std::size_t start = rest.find_first_not_of(" \t");
    if (start == std::string_view::npos) break;
    rest.remove_prefix(start);
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    if (count < fields.size()) fields[count] = rest.substr(0, end);
    ++count;
    rest.remove_prefix(end);
  }
  if (count != fields.size()) {
    return Error{ErrorCode::kInvalid, "a cron expression has five fields, \"" +
                                          std::string(expression) + "\" has " +
                                          std::to_string(count)};
  }
  Cron cron;
  Status status =
      read_field({"minute", 0, 59}, fields[0], [&](unsigned v) { cron.minutes_.set(v); });
  if (status)
    status = read_field({"hour", 0, 23}, fields[1], [&](unsigned v) { cron.hours_.set(v); });
  if (status) {
    status =
        read_field({"day of the month", 1, 31}, fields[2], [&](unsigned v) { cron.days_.set(v); });
  }
  if (status) {
    status =
        read_field({"month", 1, 12, true}, fields[3], [&](unsigned v) { cron.months_.set(v); });
  }
  if (status) {
    status = read_field({"day of the week", 0, 7, false, true}, fields[4],
                        [&](unsigned v) { cron.week_days_.set(v == 0 ? 0 : v - 1); });
  }
  if (!status) return status.error();
  cron.any_day_ = fields[2].starts_with('*');
  cron.any_week_day_ = fields[4].starts_with('*');
  return cron;
}

bool Cron::day_matches(unsigned month, unsigned day, unsigned week_day) const {
  if (!months_.test(month)) return false;
  // As cron has it: two restricted day fields add up, and a starred one restricts nothing.
  if (!any_day_ && !any_week_day_) return days_.test(day) || week_days_.test(week_day);
  return days_.test(day) && week_days_.test(week_day);
}

bool Cron::matches(std::int64_t minute_start_ms) const {
  const std::int64_t days = floor_to(minute_start_ms, kDayMs) / kDayMs;
  const Date date = civil_date(days);
  const auto week_day = static_cast<unsigned>(((days + 4) % 7 + 7) % 7);  // 1970-01-01: a Thursday
  const auto minute = static_cast<std::size_t>((minute_start_ms - days * kDayMs) / kMinuteMs);
  return day_matches(date.month, date.day, week_day) && hours_.test(minute / 60) &&
         minutes_.test(minute % 60);
}

std::optional<std::int64_t> Cron::next(std::int64_t after_ms) const {
  std::int64_t at = floor_to(after_ms, kMinuteMs) + kMinuteMs;
  const std::int64_t end = at + 5 * 366 * kDayMs;
  while (at < end) {
    const std::int64_t days = floor_to(at, kDayMs) / kDayMs;
    const Date date = civil_date(days);
    const auto week_day = static_cast<unsigned>(((days + 4) % 7 + 7) % 7);
    if (!day_matches(date.month, date.day, week_day)) {
      at = (days + 1) * kDayMs;
      continue;
    }
    const auto hour = static_cast<std::size_t>((at - days * kDayMs) / (60 * kMinuteMs));
    if (!hours_.test(hour)) {
      at = days * kDayMs + static_cast<std::int64_t>(hour + 1) * 60 * kMinuteMs;
      continue;
    }
    if (minutes_.test(static_cast<std::size_t>(at / kMinuteMs % 60))) return at;
    at += kMinuteMs;
  }
  return std::nullopt;
}

}  // namespace hearth::core
