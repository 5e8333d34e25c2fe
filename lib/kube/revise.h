#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// Sets the number of replicas where a workload states one: spec.replicas of Deployment, ReplicaSet
// and StatefulSet, spec.parallelism of Job. Other kinds, and workloads without the field, are left
// alone. INVALID_ARGUMENT when the manifest has not the form of its kind.
[[nodiscard]] absl::Status ReviseReplicas(Json& manifest, int64_t replicas);

// spec.completions of a Job that states it; 0 for every other object.
[[nodiscard]] int64_t CompletionsOf(const Json& manifest);
// Sets spec.completions of a Job that states it.
void ReviseCompletions(Json& manifest, int64_t completions);

}  // namespace sealane::kube
