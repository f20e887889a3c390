// What one host may use of the CPU, in periods as the kernel's quota has them: each gives the host
// its share, what is not used is not kept, and what was used too much is owed to the next ones, for
// a second at most. Pure; owned by the Host.
#pragma once

#include <cstdint>
#include <optional>

namespace hearth::core {

class CpuBudget {
 public:
  static constexpr std::int64_t kPeriodMs = 100;

  explicit CpuBudget(unsigned percent) : quota_ns_(std::int64_t{percent} * kPeriodMs * 10'000) {}

  // At a moment of the steady clock, with all that the process has used in its life. False: it has
  // nothing left in this period.
  bool settle(std::int64_t now_ms, std::uint64_t used_ns);
  // When it may have used up what is left, or when the period ends.
  std::uint32_t look_again_ms(std::int64_t now_ms) const;

 private:
  std::int64_t quota_ns_;  // of a period
  std::int64_t left_ns_ = 0;
  std::int64_t period_ends_ms_ = 0;
  std::optional<std::uint64_t> used_ns_;
};

}  // namespace hearth::core
