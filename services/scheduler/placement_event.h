#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace sealane::v1 {
class Event;
class Placed;
class StoredObject;
}  // namespace sealane::v1

namespace sealane::scheduler {

struct Plan;

// "aws-virginia=2, tencent-shanghai=4", shortened; "no cluster".
[[nodiscard]] std::string DescribeClusters(const v1::Placed& placed);

// The event that tells of the plan: Placed, Moved, or (once) Unschedulable. False: there is nothing
// to tell. `before`: the row in force; nullptr: none.
[[nodiscard]] bool EventOf(const v1::Placed* before, const Plan& plan, v1::Event* event);

// The event that tells what became of a WorkloadRebalancer: Rebalanced, RebalancedInPart (objects
// were not found), RebalancerRefused. `objects`: how many it named that exist.
[[nodiscard]] v1::Event RebalanceEvent(const v1::StoredObject& object, const absl::Status& parsed,
                                       size_t objects, const std::vector<std::string>& not_found);

}  // namespace sealane::scheduler
