#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace sealane {

namespace v1 {
class Placement;
class ReplicaRequirements;
}  // namespace v1

// The messages of placement.proto have Karmada's JSON form. These two convert any of them
// (Placement, ClusterAffinity, FailoverBehavior, Suspension, Component, ...). Unknown fields and
// nulls are ignored: strictness belongs to the admission of policies. INVALID_ARGUMENT for a wrong
// type.
[[nodiscard]] absl::Status MessageFromJson(const Json& json, google::protobuf::Message* message);
// Numbers are written as numbers (also 64-bit ones); absent and empty fields are left out.
[[nodiscard]] Json MessageToJson(const google::protobuf::Message& message);

// `spec.placement` of a PropagationPolicy or a ResourceBinding.
[[nodiscard]] absl::StatusOr<v1::Placement> PlacementFromJson(const Json& json);
[[nodiscard]] Json PlacementToJson(const v1::Placement& placement);

// `spec.replicaRequirements` of a ResourceBinding: as above, but the node affinity is kept as text
// (hardNodeAffinity), and quantities may be numbers in the JSON.
[[nodiscard]] absl::StatusOr<v1::ReplicaRequirements> RequirementsFromJson(const Json& json);
[[nodiscard]] Json RequirementsToJson(const v1::ReplicaRequirements& requirements);

}  // namespace sealane
