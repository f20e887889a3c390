// Latencies in nanoseconds, counted in buckets that are exact to one part in 64. Fixed size, no
// allocation while measuring.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace hearth::load {

class Histogram {
 public:
  void add(std::uint64_t value_ns) {
    ++counts_[bucket_of(value_ns)];
    ++total_;
  }

  std::uint64_t total() const { return total_; }

  // The smallest bucket's upper edge that holds `fraction` of all values; 0 when there are none.
  std::uint64_t percentile_ns(double fraction) const {
    auto wanted = static_cast<std::uint64_t>(static_cast<double>(total_) * fraction);
    if (wanted == 0) wanted = 1;
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen >= wanted) return edge_of(bucket);
    }
    return 0;
  }

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr std::size_t kSub = std::size_t{1} << kSubBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kSub) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return (shift + 1) * kSub + static_cast<std::size_t>((value >> shift) - kSub);
  }

  static std::uint64_t edge_of(std::size_t bucket) {
    if (bucket < kSub) return bucket;
    const auto shift = bucket / kSub - 1;
    return ((bucket % kSub + kSub + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kSub*(64 - kSubBits + 1)> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace hearth::load
