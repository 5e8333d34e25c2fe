#pragma once

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/writer.h"
#include "sealane/v1/common.pb.h"

namespace sealane::gateway {

// What intake will do with an object, except for what depends on the other objects of the fleet:
// its defaults of policies and clusters are set in place, so that the same manifest applied again
// changes nothing. A pure function (kubeapi::Admitter). Intake has the last word all the same.
[[nodiscard]] kubeapi::Admitted AdmitObject(const kubeapi::Resource& resource, Json& object);

// What is wrong with a field, as the Kubernetes API says it.
[[nodiscard]] kubeapi::FieldError ToFieldError(const v1::FieldError& error);

}  // namespace sealane::gateway
