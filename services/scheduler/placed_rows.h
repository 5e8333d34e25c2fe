#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sealane/v1/tables.pb.h"

namespace sealane::scheduler {

// Replicas by cluster; 0 for what has none.
using Targets = std::map<std::string, int64_t>;

[[nodiscard]] Targets TargetsOf(
    const google::protobuf::RepeatedPtrField<v1::TargetCluster>& clusters);
[[nodiscard]] Targets TargetsOf(const v1::Placed& placed);
// Without copies that only stay for a while.
[[nodiscard]] Targets TargetsWithoutCopies(const v1::Placed& placed);
void SetTargets(const Targets& targets,
                google::protobuf::RepeatedPtrField<v1::TargetCluster>* clusters);
void SetTargets(const Targets& targets, v1::Placed& placed);

// An object of no replicas has none in any cluster, also where it stays because nothing else fits:
// works take an object of no replicas as its manifest says.
void WantNothing(const v1::Binding& binding, v1::Placed& placed);

// Both say the same of where the object runs, which copies stay, and whether failover is held.
[[nodiscard]] bool SameDecision(const v1::Placed& a, const v1::Placed& b);

// The row without what is renewed only when it is written for another reason.
[[nodiscard]] v1::Placed WithoutDetails(v1::Placed row);

}  // namespace sealane::scheduler
