#pragma once

#include <string>

namespace sealane::v1 {
class Event;
class Placed;
}  // namespace sealane::v1

namespace sealane::scheduler {

struct Plan;

// "aws-virginia=2, tencent-shanghai=4", shortened; "no cluster".
[[nodiscard]] std::string DescribeClusters(const v1::Placed& placed);

// The event that tells of the plan: Placed, Moved, or (once) Unschedulable. False: there is nothing
// to tell. `before`: the row in force; nullptr: none.
[[nodiscard]] bool EventOf(const v1::Placed* before, const Plan& plan, v1::Event* event);

}  // namespace sealane::scheduler
