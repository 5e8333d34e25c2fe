#pragma once

#include <string>
#include <vector>

#include "lib/core/json_fwd.h"
#include "sealane/v1/common.pb.h"

namespace sealane::policy {

// What admission says about a manifest.
struct Admission {
  std::vector<v1::FieldError> errors;  // empty: accepted
  std::vector<std::string> warnings;
};

// Checks a manifest of any kind (its identity has been parsed already) and applies the defaults of
// its kind in place. Policies of policy.karmada.io are held to Karmada's CRD schema and webhooks,
// Cluster objects to Karmada's validation, other kinds to what every API server requires of them.
[[nodiscard]] Admission Admit(Json& object);

}  // namespace sealane::policy
