#pragma once

#include <string>
#include <string_view>

#include "sealane/v1/app.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::scheduler {

// Reason of the event of a cluster that is left because of a taint; of others ApplicationFailover.
inline constexpr std::string_view kClusterFailoverEvent = "ClusterFailover";
// ... of an application that is not moved any more, because it failed in too many clusters.
inline constexpr std::string_view kFailoverHeldEvent = "FailoverHeld";

// Tells that the cluster of `eviction` is left, why, where the object runs now (`row`), and what
// becomes of the copy there.
[[nodiscard]] v1::Event FailoverEvent(const v1::Binding& binding, const v1::Eviction& eviction,
                                      const v1::Placed& row);
// Tells that it is not moved away from `cluster` any more; `why`, for people.
[[nodiscard]] v1::Event FailoverHeldEvent(const v1::Binding& binding, const std::string& cluster,
                                          std::string_view why);

}  // namespace sealane::scheduler
