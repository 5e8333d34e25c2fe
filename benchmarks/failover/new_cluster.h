#pragma once

#include "absl/status/statusor.h"
#include "benchmarks/failover/lost_cluster.h"

namespace sealane::bench {

// A cluster joins a fleet in which `base` services are meant for every cluster: a real agent and
// kubesim. Seconds from the Cluster object's publication and the agent's start to:
struct NewClusterResult {
  double ready = 0;     // the cluster is said to be ready
  double placed = 0;    // the last placement names it
  double rendered = 0;  // the last work is written
  double applied = 0;   // the last is applied, and the agent said so
};

[[nodiscard]] absl::StatusOr<NewClusterResult> JoinCluster(const FailoverOptions& options);

}  // namespace sealane::bench
