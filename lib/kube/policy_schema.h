#pragma once

#include "lib/kube/field_schema.h"

namespace sealane::kube {

// The form of `spec` of the policies of policy.karmada.io/v1alpha1, with Sealane's own optional
// fields (envOverrider). docs/policies.md explains each field.
[[nodiscard]] const FieldSchema& PropagationSpecSchema();  // PropagationPolicy, Cluster...
[[nodiscard]] const FieldSchema& OverrideSpecSchema();     // OverridePolicy, Cluster...
[[nodiscard]] const FieldSchema& TaintPolicySpecSchema();  // ClusterTaintPolicy

}  // namespace sealane::kube
