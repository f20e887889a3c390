#include "core/cron.h"

#include <gtest/gtest.h>

#include <ctime>

namespace hearth::core {
namespace {

std::int64_t at(int year, int month, int day, int hour = 0, int minute = 0, int second = 0) {
  std::tm time{};
  time.tm_year = year - 1900;
  time.tm_mon = month - 1;
  time.tm_mday = day;
  time.tm_hour = hour;
  time.tm_min = minute;
  time.tm_sec = second;
  return static_cast<std::int64_t>(timegm(&time)) * 1000;
}

std::int64_t next(const char* expression, std::int64_t after_ms) {
  auto cron = Cron::parse(expression);
  EXPECT_TRUE(cron) << expression;
  return cron ? cron->next(after_ms).value_or(-1) : -2;
}

TEST(Cron, FindsTheNextTime) {
  EXPECT_EQ(next("* * * * *", at(2026, 11, 22, 6, 22, 39)), at(2026, 11, 22, 6, 23));
  EXPECT_EQ(next("*/5 * * * *", at(2026, 11, 22, 6, 58)), at(2026, 11, 22, 7, 0));
  EXPECT_EQ(next("*/5 * * * *", at(2026, 11, 22, 7, 0)), at(2026, 11, 22, 7, 5));
  EXPECT_EQ(next("30 23 31 12 *", at(2026, 12, 31, 23, 30)), at(2027, 12, 31, 23, 30));
  EXPECT_EQ(next("0 0 29 2 *", at(2026, 3, 1)), at(2028, 2, 29));
  EXPECT_EQ(next("0,15,45 8-10 * * *", at(2026, 1, 1, 8, 15)), at(2026, 1, 1, 8, 45));
  EXPECT_EQ(next("10-40/15 * * * *", at(2026, 1, 1, 0, 26)), at(2026, 1, 1, 0, 40));
  EXPECT_EQ(next("50/5 * * * *", at(2026, 1, 1, 0, 50)), at(2026, 1, 1, 0, 55));
  EXPECT_EQ(next("0 0 30 2 *", at(2026, 1, 1)), -1);
}

TEST(Cron, CountsWeekDaysFromSunday) {
  // 2026-11-22 is a Sunday.
  EXPECT_EQ(next("0 12 * * 1", at(2026, 11, 20)), at(2026, 11, 22, 12));
  EXPECT_EQ(next("0 12 * * SUN", at(2026, 11, 20)), at(2026, 11, 22, 12));
  EXPECT_EQ(next("0 12 * * 0", at(2026, 11, 20)), at(2026, 11, 22, 12));
  EXPECT_EQ(next("0 12 * * mon-fri", at(2026, 11, 21)), at(2026, 11, 23, 12));
  EXPECT_EQ(next("0 12 * * 7", at(2026, 11, 20)), at(2026, 11, 21, 12));
  EXPECT_EQ(next("0 12 * jan *", at(2026, 11, 20)), at(2027, 1, 1, 12));
}

TEST(Cron, AddsTwoRestrictedDays) {
  EXPECT_EQ(next("0 0 1 * mon", at(2026, 11, 22)), at(2026, 11, 23));
  EXPECT_EQ(next("0 0 24 * mon", at(2026, 11, 23)), at(2026, 11, 24));
  EXPECT_EQ(next("0 0 */2 * mon", at(2026, 11, 22)), at(2026, 11, 23));
}

TEST(Cron, AgreesWithItsOwnMatcherOverAYear) {
  auto cron = Cron::parse("7,23 */6 1-7 3,6,9 *");
  ASSERT_TRUE(cron);
  std::int64_t expected = -1;
  const std::int64_t end = at(2027, 1, 1);
  std::int64_t upcoming = *cron->next(at(2026, 1, 1) - 1);
  for (std::int64_t time = at(2026, 1, 1); time < end; time += 60'000) {
    if (!cron->matches(time)) continue;
    EXPECT_EQ(upcoming, time);
    expected = time;
    upcoming = *cron->next(time);
  }
  EXPECT_EQ(expected, at(2026, 9, 7, 18, 23));
}

TEST(Cron, RefusesWhatItCannotRead) {
  for (const char* wrong : {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
                            "* * * 13 *", "* * * * 8", "a * * * *", "5-1 * * * *", "*/0 * * * *",
                            "1,,2 * * * *", "* * * foo *", "-1 * * * *", "1- * * * *"}) {
    EXPECT_FALSE(Cron::parse(wrong)) << wrong;
  }
  EXPECT_EQ(Cron::parse("* 24 * * *").error().message, "\"24\" is no hour (0 to 23)");
}

}  // namespace
}  // namespace hearth::core
