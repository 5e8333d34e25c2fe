#pragma once

#include <vector>

#include "sealane/v1/app.pb.h"
#include "services/scheduler/plan.h"

namespace sealane::scheduler {

struct FailoverPlan {
  Plan plan;
  std::vector<v1::Event> failovers;  // one per cluster that is left, and one when it is held
};

// PlanPlacement, with failover before and after it: clusters where the application failed, and
// tainted ones, are left when others take over; what cannot be replaced stays where it is, and the
// row says why. Whatever the reason of a move, copies stay until what replaces them is healthy.
// Pure. See docs/failover.md.
// `status`, `status_known`: as in FailoverInput.
[[nodiscard]] FailoverPlan PlanWithFailover(const PlanInput& input, const v1::AppStatus* status,
                                            bool status_known);

}  // namespace sealane::scheduler
