#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class ClusterStatus;
class FieldError;
}  // namespace v1

namespace kube {

// Cluster metadata in override values: ${cluster.name}, ${cluster.provider}, ${cluster.region} and
// ${cluster.labels.KEY}. "$${" stands for "${". Anything else after "${" is refused.

// Checks the spec of an override policy that expands references: appends an error for each
// malformed or unknown one in any string of its overriders, and for each "${" elsewhere
// (targetCluster, resourceSelectors), where nobody expands it.
void CheckExpansions(const Json& spec, const std::string& path,
                     std::vector<v1::FieldError>* errors);

// Replaces the references. NOT_FOUND when the cluster has no such label, provider or region.
[[nodiscard]] absl::StatusOr<std::string> Expand(std::string_view text,
                                                 const v1::ClusterStatus& cluster);
// Expands every string below `value` (not keys). The error names the field below `value`.
[[nodiscard]] absl::Status ExpandAll(Json& value, const v1::ClusterStatus& cluster);
// The references in the strings below `value`, without "${" and "}".
[[nodiscard]] std::set<std::string> ReferencesIn(const Json& value);
// What the references stand for in the cluster, as a text: for two clusters with equal texts
// ExpandAll does the same, its errors included.
[[nodiscard]] std::string ExpansionKey(const std::set<std::string>& references,
                                       const v1::ClusterStatus& cluster);

}  // namespace kube
}  // namespace sealane
