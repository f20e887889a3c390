// One JSON line on standard output: what was measured.
#pragma once

#include <cstdint>

#include "histogram.h"

namespace hearth::load {

// CPU time of this process so far.
double own_cpu_s();

void report(const Histogram& latencies, std::uint64_t operations, double elapsed_s, double cpu_s);

}  // namespace hearth::load
