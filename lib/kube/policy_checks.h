#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"
#include "sealane/v1/common.pb.h"

// What the checks of propagation and of override policies share. Private to policy_admission.cc and
// override_admission.cc. Pure; of specs whose fields have the right types.
namespace sealane::kube {

using FieldErrors = std::vector<v1::FieldError>;

// A field of an object, or nullptr when absent, null or the parent is no object.
[[nodiscard]] const Json* Get(const Json* parent, std::string_view name);
// The same, with an empty list for what is not there.
[[nodiscard]] const Json& Items(const Json* parent, std::string_view name);
[[nodiscard]] bool NonEmpty(const Json* parent, std::string_view name);

// The fieldSelector of a ClusterAffinity, which may be nullptr, at `path`.
void CheckFieldSelector(const Json* affinity, const std::string& path, FieldErrors* errors);

// An OverrideSpec. `expand`: whether ${...} in values stands for something else, so that only
// rendering can tell.
void CheckOverrideSpec(const Json& spec, bool expand, FieldErrors* errors);

}  // namespace sealane::kube
