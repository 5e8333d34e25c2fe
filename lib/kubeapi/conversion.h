#pragma once

#include <string_view>

#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// The forms of built-in kinds that are served in several versions and stored in one: autoscaling/v1
// (stored as v2), and batch/v1beta1, as clients of before 1.21 write CronJobs (stored as v1).
// Pure functions.

// Brings an object of such a version into the form that it is stored in; any other stays as it is.
void ToStorageForm(Json& object);
// A stored object in the form of another version of its kind.
[[nodiscard]] Json FromStorageForm(std::string_view api_version, const Json& object);

}  // namespace sealane::kubeapi
