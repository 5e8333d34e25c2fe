#pragma once

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/api_server.h"
#include "sealane/v1/common.pb.h"

namespace sealane::gateway {

// What intake will say of an object, except for what depends on the other objects of the fleet: a
// pure function, asked before a write and of a dry run. Intake has the last word all the same.
[[nodiscard]] kubeapi::Review ReviewObject(const kubeapi::Resource& resource, const Json& object);

// What is wrong with a field, as the Kubernetes API says it.
[[nodiscard]] kubeapi::FieldError ToFieldError(const v1::FieldError& error);

}  // namespace sealane::gateway
