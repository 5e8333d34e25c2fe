#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "services/status/leases.h"

namespace sealane {

namespace v1 {
class ClusterStatus;
class Condition;
class Heartbeat;
}  // namespace v1

namespace status {

// The condition types that the status service keeps on a cluster, with Karmada's names and reasons.
inline constexpr std::string_view kReadyCondition = "Ready";
inline constexpr std::string_view kApiEnablementsCondition = "CompleteAPIEnablements";

// Sealane's own: False from the first time a cluster is ready until everything placed there is
// healthy for the first time, then True for good.
inline constexpr std::string_view kSettledCondition = "Settled";

// Sealane's own: True on clusters that are not ready while nothing is moved away from them, because
// too many are not ready at once.
inline constexpr std::string_view kFailoverPausedCondition = "FailoverPaused";

// nullptr when the cluster has no such condition.
[[nodiscard]] const v1::Condition* FindCondition(const v1::ClusterStatus& cluster,
                                                 std::string_view type);
// The cluster's condition Ready; nullopt before it was judged for the first time.
[[nodiscard]] std::optional<Readiness> ReadinessOf(const v1::ClusterStatus& cluster);

// Sets a condition and keeps the conditions sorted by type. The time of the last transition changes
// only with the status.
void SetCondition(v1::ClusterStatus& cluster, std::string_view type, std::string_view status,
                  std::string_view reason, std::string_view message, int64_t now_micros);

// Sets Ready. `api_message`: why the agent says that its API server is not healthy.
void SetReady(v1::ClusterStatus& cluster, Readiness readiness, bool ever_heard,
              std::string_view api_message, int64_t now_micros);

// Sets CompleteAPIEnablements from what the agent could discover.
void SetApiEnablements(v1::ClusterStatus& cluster, const v1::Heartbeat& heartbeat,
                       int64_t now_micros);

}  // namespace status
}  // namespace sealane
