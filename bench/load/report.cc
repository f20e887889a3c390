#include "report.h"

#include <sys/resource.h>

#include <cstdio>

namespace hearth::load {

double own_cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void report(const Histogram& latencies, std::uint64_t operations, double elapsed_s, double cpu_s) {
  const auto us = [&](double fraction) {
    return static_cast<double>(latencies.percentile_ns(fraction)) / 1e3;
  };
  std::printf(
      "{\"operations\":%llu,\"seconds\":%.4f,\"perSecond\":%.1f,\"clientCpuSeconds\":%.4f,"
      "\"latencyUs\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}}\n",
      static_cast<unsigned long long>(operations), elapsed_s,
      static_cast<double>(operations) / elapsed_s, cpu_s, us(0.5), us(0.9), us(0.99), us(0.999),
      us(1.0));
  std::fflush(stdout);
}

}  // namespace hearth::load
