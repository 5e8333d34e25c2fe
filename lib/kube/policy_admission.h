#pragma once

#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class FieldError;
}  // namespace v1

namespace kube {

inline constexpr std::string_view kPolicyGroup = "policy.karmada.io";
inline constexpr std::string_view kPolicyApiVersion = "policy.karmada.io/v1alpha1";

// PropagationPolicy, ClusterPropagationPolicy, OverridePolicy, ClusterOverridePolicy.
[[nodiscard]] bool IsPolicyKind(std::string_view kind);

// Brings one of the four policy kinds into its stored form, as Karmada's API server does: defaults
// of the schema, then what its webhooks fill in. Fields of a wrong type are left alone. `known` has
// its namespace (DefaultNamespace was run).
void DefaultPolicy(Json& policy);

// Every reason for which Karmada's API server (schema with strict fields, then webhooks) would
// refuse the policy, with exact field paths, and what is wrong with its sealane.io/ annotations.
// Run DefaultPolicy first. Sources: the CRDs of policy.karmada.io and pkg/util/validation.
[[nodiscard]] std::vector<v1::FieldError> ValidatePolicy(const Json& policy);

// The same of a ClusterTaintPolicy. The effect PreferNoExecute (Karmada 1.19) is not known.
[[nodiscard]] std::vector<v1::FieldError> ValidateTaintPolicy(const Json& policy);

}  // namespace kube
}  // namespace sealane
