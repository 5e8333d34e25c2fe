#pragma once

#include <cstdint>
#include <string_view>

#include "lib/core/env.h"
#include "lib/telemetry/metrics.h"

namespace sealane {

// Of the build, for --version and sealane_build_info.
[[nodiscard]] std::string_view Version();

// What the kernel says about this process. Zero where /proc does not tell.
struct ProcessUsage {
  int64_t resident_bytes = 0;
  int64_t peak_resident_bytes = 0;
  double cpu_seconds = 0;
  int64_t threads = 0;
  int64_t open_files = 0;
};
[[nodiscard]] ProcessUsage ReadProcessUsage();

// Adds sealane_build_info{service,version} and the usual process_* metrics (names and meaning as in
// Prometheus' own client libraries); they are read at each exposition.
void AddProcessMetrics(Registry& registry, const Clock& clock, std::string_view service);

}  // namespace sealane
