#pragma once

#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class ClusterStatus;
class FieldError;
}  // namespace v1

// A Cluster (cluster.karmada.io/v1alpha1) as a row of cluster_status: metadata, spec and status, as
// far as Sealane uses them. Fields of a wrong type are reported with their path and left out. The
// zone of the deprecated `spec.zone` is not taken over here: DefaultClusterManifest does that at
// intake.
[[nodiscard]] v1::ClusterStatus ClusterFromJson(const Json& cluster,
                                                std::vector<v1::FieldError>* errors);

// The Cluster object of a row, in Karmada's JSON form (syncMode Pull).
[[nodiscard]] Json ClusterToJson(const v1::ClusterStatus& cluster);

// What Karmada's API server does to a Cluster before it validates it: spec.zone becomes spec.zones;
// NoExecute taints get timeAdded, unless `now_micros` is 0; resource models are sorted by grade,
// begin at 0 and end at the largest number. syncMode defaults to Pull, the only mode Sealane has.
void DefaultClusterManifest(Json& cluster, int64_t now_micros);

// Every reason for which Karmada's API server would refuse a (defaulted) Cluster, and fields of a
// wrong type. Empty: valid. Source: pkg/apis/cluster/validation.
[[nodiscard]] std::vector<v1::FieldError> ValidateCluster(const Json& cluster);

}  // namespace sealane
