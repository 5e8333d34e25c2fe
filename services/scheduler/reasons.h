#pragma once

#include <cstdint>
#include <string>

#include "sealane/v1/tables.pb.h"
#include "services/scheduler/filter.h"
#include "services/scheduler/request.h"
#include "services/scheduler/snapshot.h"

namespace sealane::scheduler {

// What is left of a placement in force, now.
struct Remaining {
  Previous previous;  // without the clusters that must be left
  std::string lost;   // why clusters must be left, for people; empty: none must
  int64_t lost_count = 0;
  int64_t again_at_micros = 0;  // when the next tolerated NoExecute taint expires; 0: none
};

// The NoExecute taint because of which the object must leave the cluster; nullptr: none. Lowers
// `again_at` to the time when the next tolerated one expires.
[[nodiscard]] const v1::Taint* UntoleratedTaint(const v1::Binding& binding,
                                                const ClusterInfo& cluster, int64_t now_micros,
                                                int64_t* again_at);

// Takes out of the placement the clusters that are gone or going, no longer match, are being
// evicted, or have a NoExecute taint that is not tolerated (any more: tolerationSeconds count from
// the time the taint was added; a taint without that time is tolerated by any toleration for ever).
[[nodiscard]] Remaining RemainingPlacement(const Request& request, const AffinityTerm& term,
                                           const v1::Placed& placed, const Snapshot& snapshot,
                                           const WorkloadGroups* groups, int64_t now_micros);

// Why the rules that a placement was computed from are not those of the binding any more; "" when
// they are. Of clusterAffinities only the group in force counts, as in Karmada.
[[nodiscard]] std::string RulesChanged(const v1::Binding& binding, const v1::Placed& placed);

// Why the replicas of the placement are not those that the binding wants; "" when they are.
[[nodiscard]] std::string ReplicasChanged(const Request& request, const v1::Placed& placed);

}  // namespace sealane::scheduler
