#pragma once

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// Removes what an API server or its controllers add and what must not reach a member cluster:
// status, uid, owners, finalizers and the like; per kind: revision annotations of a Deployment,
// generated selector and labels of a Job, token secrets of a ServiceAccount, cluster IPs of a
// Service, data of a token Secret, the selected node of a PersistentVolumeClaim.
// INVALID_ARGUMENT when a field that decides has a wrong type. Source: Karmada's
// pkg/resourceinterpreter/default/native/prune.
[[nodiscard]] absl::Status Prune(Json& object);

}  // namespace sealane::kube
