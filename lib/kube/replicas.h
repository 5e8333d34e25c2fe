#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class ReplicaRequirements;
}  // namespace v1

namespace kube {

// How many replicas an object wants, and what one of them asks of a node. Deployment, ReplicaSet
// and StatefulSet: spec.replicas (absent: 0); Job: the smaller of parallelism and completions; Pod:
// 1; other kinds: 0. `requirements` is left empty when nothing is asked. False in `*workload` for
// other kinds. INVALID_ARGUMENT when a field has a wrong type. Source: Karmada's
// pkg/resourceinterpreter/default/native/replica.go.
struct ReplicaCount {
  bool workload = false;  // one of the kinds above
  int32_t replicas = 0;
  bool has_requirements = false;
};
[[nodiscard]] absl::StatusOr<ReplicaCount> CountReplicas(const Json& object,
                                                         v1::ReplicaRequirements* requirements);

}  // namespace kube
}  // namespace sealane
