#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "services/scheduler/candidate.h"
#include "services/scheduler/request.h"

namespace sealane::scheduler {

// What a division keeps of the placement in force.
enum class Keep {
  kAll,       // as far as it goes: dynamic strategies divide only what is missing, or shrink in
              // proportion; static weights within capacity move the fewest that they can
  kNewRules,  // the rules changed: static weights are applied anew, the others keep as kAll
  kNothing,   // a manual rebalance: all replicas are divided anew
};

// Gives replicas to the chosen clusters of the snapshot; the result has one number per cluster, 0
// for a cluster that gets none. Objects that are no workload get 0 everywhere, and run everywhere.
//
// RESOURCE_EXHAUSTED when the clusters have too little room (there is no partial placement);
// INVALID_ARGUMENT for an unknown strategy.
// Source: Karmada's pkg/scheduler/core/{assignment,division_algorithm}.go.
[[nodiscard]] absl::StatusOr<std::vector<int64_t>> AssignReplicas(const Request& request,
                                                                  const AffinityTerm& term,
                                                                  const Snapshot& snapshot,
                                                                  const Candidates& chosen,
                                                                  Keep keep);

// The static weight of each cluster: the largest of the rules that match it; 0 for a cluster
// without one, unless no cluster has any: then all have 1.
[[nodiscard]] std::vector<int64_t> StaticVotes(const Request& request, const Snapshot& snapshot,
                                               const Candidates& clusters);

}  // namespace sealane::scheduler
