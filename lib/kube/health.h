#pragma once

#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"

namespace sealane::kube {

// How well an object of a member cluster is, judged from the object alone.
enum class Health { kUnknown, kHealthy, kUnhealthy };

// "Unknown", "Healthy", "Unhealthy": the words used in WorkStatus.health.
[[nodiscard]] std::string_view HealthName(Health health);
// The reverse; any other word is kUnknown.
[[nodiscard]] Health ParseHealth(std::string_view name);

struct HealthVerdict {
  Health health = Health::kUnknown;
  // For people, empty when healthy: "2 of 5 replicas are updated".
  std::string reason;
};

// Judges one object as the member's API server returned it (with status).
//
// Kinds with a rule of Karmada's native interpreter follow it: Deployment, ReplicaSet, StatefulSet,
// DaemonSet, Service, Ingress, Pod, PersistentVolumeClaim, PodDisruptionBudget. Sealane adds Job,
// PersistentVolume, HorizontalPodAutoscaler, Namespace and CustomResourceDefinition. Any other kind
// is judged by the conditions Failed, Ready, Available and Reconciled of its status if it has them,
// and is healthy by existing if not. An object whose fields have the wrong type is Unknown.
[[nodiscard]] HealthVerdict InterpretHealth(const Json& object);

}  // namespace sealane::kube
