#pragma once

#include <vector>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/resource.h"

namespace sealane::kubeapi {

// Faults of an object that the real server would refuse with 422: names and metadata of every kind,
// the rules of the workload kinds, Services, Secrets, RBAC and CRDs, and custom schemas.
// `before` is the version that an update replaces; null for a creation.
[[nodiscard]] std::vector<FieldError> ValidateObject(const Resource& resource, const Json& object,
                                                     const Json& before);

}  // namespace sealane::kubeapi
