#include "core/cpu_budget.h"

#include <algorithm>

namespace hearth::core {

namespace {
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kLookMsLeast = 5;
// What a host may owe, in periods: a stop is to be no longer than a second, whatever came late.
constexpr std::int64_t kOwedPeriodsMax = 10;
}  // namespace

bool CpuBudget::settle(std::int64_t now_ms, std::uint64_t used_ns) {
  if (!used_ns_) {
    left_ns_ = quota_ns_;
    period_ends_ms_ = now_ms + kPeriodMs;
  } else if (used_ns > *used_ns_) {
    left_ns_ -= static_cast<std::int64_t>(used_ns - *used_ns_);
  }
  used_ns_ = used_ns;
  left_ns_ = std::max(left_ns_, -kOwedPeriodsMax * quota_ns_);
  if (now_ms >= period_ends_ms_) {
    // What was not used is not kept.
    const std::int64_t periods = (now_ms - period_ends_ms_) / kPeriodMs + 1;
    left_ns_ = std::min(left_ns_ + std::min(periods, kOwedPeriodsMax + 1) * quota_ns_, quota_ns_);
    period_ends_ms_ += periods * kPeriodMs;
  }
  return left_ns_ > 0;
}

std::uint32_t CpuBudget::look_again_ms(std::int64_t now_ms) const {
  const std::int64_t ends_ms = std::max<std::int64_t>(period_ends_ms_ - now_ms, 1);
  if (left_ns_ <= 0) return static_cast<std::uint32_t>(ends_ms);
  const std::int64_t left_ms = std::max(left_ns_ / kNsPerMs, kLookMsLeast);
  return static_cast<std::uint32_t>(std::min(left_ms, ends_ms));
}

}  // namespace hearth::core
