#include "services/policy/binding.h"

#include "lib/core/json.h"
#include "lib/kube/json_access.h"
#include "lib/kube/replicas.h"
#include "lib/model/same_message.h"

namespace sealane::policy {

void FillFromObject(const v1::StoredObject& object, const Json& manifest, v1::Binding& binding) {
  *binding.mutable_ref() = object.ref();
  binding.set_uid(object.uid());
  binding.set_object_generation(object.generation());
  binding.set_trace_id(object.trace_id());
  binding.clear_labels();
  const Json* labels = kube::Find(manifest, {"metadata", "labels"});
  if (labels != nullptr && labels->is_object()) {
    for (const auto& [key, value] : labels->items()) {
      if (value.is_string()) (*binding.mutable_labels())[key] = value.get<std::string>();
    }
  }
  binding.clear_components();
  binding.clear_replica_requirements();
  binding.set_replicas(0);
  // A manifest whose numbers cannot be read was refused at intake; it counts as no workload.
  v1::ReplicaRequirements requirements;
  const auto count = kube::CountReplicas(manifest, &requirements);
  if (!count.ok()) return;
  binding.set_replicas(count->replicas);
  if (count->has_requirements) *binding.mutable_replica_requirements() = std::move(requirements);
}

void FillFromPolicy(const PropagationPolicy& policy, v1::Binding& binding) {
  *binding.mutable_policy() = policy.ref;
  binding.set_policy_uid(policy.uid);
  binding.set_policy_generation(policy.generation);
  const v1::Binding& from = policy.defaults;
  *binding.mutable_placement() = from.placement();
  if (from.has_failover()) {
    *binding.mutable_failover() = from.failover();
  } else {
    binding.clear_failover();
  }
  if (from.has_suspension()) {
    *binding.mutable_suspension() = from.suspension();
  } else {
    binding.clear_suspension();
  }
  binding.set_conflict_resolution(from.conflict_resolution());
  binding.set_preserve_resources_on_deletion(from.preserve_resources_on_deletion());
  binding.set_propagate_deps(from.propagate_deps());
  binding.set_scheduler_name(from.scheduler_name());
  *binding.mutable_options() = from.options();
}

bool SameButRevision(v1::Binding a, const v1::Binding& b) {
  a.set_revision(b.revision());
  return SameMessage(a, b);
}

}  // namespace sealane::policy
