#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace sealane::bench {

struct FailoverOptions {
  std::string bin_dir;
  int apps = 10000;  // spread evenly over the clusters
  int clusters = 20;
  int base = 500;  // services meant for every cluster
  std::string log_level = "warn";
  bool keep = false;
};

// Each application runs in one cluster; one cluster falls silent, and what was there must go to
// others. Times run from the taint that says so (seen on the bus).
struct LostClusterResult {
  uint64_t moved = 0;
  double placed_seconds = 0;  // to the last placement seen
  double works_seconds = 0;   // to the last work that another cluster's agent received
  double bare_seconds = 0;    // a bare client publishes as many messages of their sizes
  double ratio = 0;           // bare_seconds / works_seconds
  double scheduler_cpu_seconds = 0;
};

[[nodiscard]] absl::StatusOr<LostClusterResult> LoseCluster(const FailoverOptions& options);

}  // namespace sealane::bench
