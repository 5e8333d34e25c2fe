#pragma once

#include "lib/core/json_fwd.h"
#include "services/policy/policy_spec.h"

namespace sealane::policy {

// Sets what a binding takes from its object: ref, uid, object_generation, labels, replicas,
// replica_requirements, components, trace_id.
void FillFromObject(const v1::StoredObject& object, const Json& manifest, v1::Binding& binding);

// Sets what a binding takes from the policy that claims it: policy, policy_uid, policy_generation
// and everything in PropagationPolicy::defaults. Clears what the policy does not set.
void FillFromPolicy(const PropagationPolicy& policy, v1::Binding& binding);

// Whether nothing but the revision differs.
[[nodiscard]] bool SameButRevision(v1::Binding a, const v1::Binding& b);

}  // namespace sealane::policy
