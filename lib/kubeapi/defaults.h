#pragma once

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/resource.h"

namespace sealane::kubeapi {

// Fills in what the real server fills in for built-in kinds when an object is read from a request
// (scheme defaulting and the conversions that go with it, as stringData of Secrets). Idempotent.
void DefaultBuiltin(const Resource& resource, Json& object);

// Fills in what creation adds: the status a new object starts with, generated selectors of Jobs,
// finalizers of Namespaces, the pod fields that admission sets. `object` has its uid.
void PrepareBuiltinForCreate(const Resource& resource, Json& object);

}  // namespace sealane::kubeapi
