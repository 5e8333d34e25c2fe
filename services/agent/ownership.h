#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::agent {

inline constexpr char kFieldManager[] = "sealane";
inline constexpr char kManagedLabel[] = "sealane.io/managed";
inline constexpr char kManagedSelector[] = "sealane.io/managed=true";
// Set on every object: the name of the cluster as the control plane knows it, so that two agents in
// one cluster leave each other's objects alone.
inline constexpr char kClusterAnnotation[] = "sealane.io/cluster";
// On a manifest, "true": an update that the API server refuses because a field is immutable
// replaces the object.
inline constexpr char kRecreateAnnotation[] = "sealane.io/recreate";
// On a manifest, "Report": drift is reported, not repaired.
inline constexpr char kDriftAnnotation[] = "sealane.io/drift";
// On a manifest, "true": spec.replicas belongs to the member cluster (Karmada's label).
inline constexpr char kRetainReplicasLabel[] = "resourcetemplate.karmada.io/retain-replicas";

// A hash of the set of fields that our server-side applies own in `object` (metadata.managedFields,
// manager "sealane", operation Apply); 0 when they own none. The API server takes a field away from
// us when someone else changes it, so a changed hash means that what we applied is no longer in
// force; everything else (status, other people's fields) leaves it alone.
[[nodiscard]] uint64_t OwnedFieldsHash(const Json& object);

// The object carries our label and fields of ours: an agent made it. (The label alone may be
// somebody's copy.)
[[nodiscard]] bool IsManaged(const Json& object);

// Somebody else than our applies owns fields of the object (other than its status).
[[nodiscard]] bool HasOtherMaker(const Json& object);

// Who made an object that is not ours, for people: "Helm (release web)",
// "kubectl-client-side-apply, deployment-controller"; "someone unknown" at worst.
[[nodiscard]] std::string DescribeOwner(const Json& object);

// resourceVersion as a number, as every real API server writes it; 0 when it is not one.
[[nodiscard]] uint64_t ResourceVersionOf(const Json& object);

// The body of an apply: the manifest with our label and the cluster's name.
struct PreparedManifest {
  std::string body;
  bool recreate = false;
  bool report_drift = false;
  bool retain_replicas = false;
};
// INVALID_ARGUMENT when it is not an object or names another object than it should. `live` (may be
// nullptr) is the member's object, for retained fields.
[[nodiscard]] absl::StatusOr<PreparedManifest> PrepareManifest(std::string_view manifest,
                                                               std::string_view cluster,
                                                               const Json* live);

// The paths at which two objects differ, with the values, for people, at most `limit` characters:
// "spec.replicas: 3 -> 5". Server-side bookkeeping (managedFields, resourceVersion, generation,
// status) is left out. `from` is what is there, `to` what should be.
[[nodiscard]] std::string DescribeDifference(const Json& from, const Json& to, size_t limit);

}  // namespace sealane::agent
