#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace sealane::bench {

// The p-th percentile (0..100) by the nearest rank; 0 for no values.
[[nodiscard]] double Percentile(std::vector<double> values, double p);

// Of another process, in MB (10^6 bytes) by /proc; 0 when it is gone.
[[nodiscard]] double PeakMemoryMb(pid_t pid);      // VmHWM
[[nodiscard]] double ResidentMemoryMb(pid_t pid);  // VmRSS

// Seconds of user and system time of another process so far.
[[nodiscard]] double CpuSeconds(pid_t pid);

}  // namespace sealane::bench
