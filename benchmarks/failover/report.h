#pragma once

#include "benchmarks/failover/lost_cluster.h"
#include "benchmarks/failover/new_cluster.h"

namespace sealane::bench {

// Lines for people, then one JSON object on the last line when `json`.
void PrintFailover(const FailoverOptions& options, const LostClusterResult& lost,
                   const NewClusterResult& joined, bool json);

}  // namespace sealane::bench
