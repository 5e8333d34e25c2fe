#pragma once

#include <string_view>
#include <vector>

#include "sealane/v1/app.pb.h"
#include "services/scheduler/plan.h"

namespace sealane::scheduler {

// Reason of the event of a cluster that is left because of a taint; of others ApplicationFailover.
inline constexpr std::string_view kClusterFailoverEvent = "ClusterFailover";

struct FailoverPlan {
  Plan plan;
  std::vector<v1::Event> failovers;  // one per cluster that is left
};

// PlanPlacement, with application failover before and after it: clusters where the application
// failed are left when others take over, copies stay beside their replacement as the policy says,
// and what cannot be replaced stays where it is, and the row says why. Pure. See docs/failover.md.
// `status`, `status_known`: as in FailoverInput.
[[nodiscard]] FailoverPlan PlanWithFailover(const PlanInput& input, const v1::AppStatus* status,
                                            bool status_known);

}  // namespace sealane::scheduler
