#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/policy/policy_spec.h"

namespace sealane::policy {

// Applies the rules of the policies that concern the manifest and the cluster, in the order of
// RelevantOverrides. Policies of the namespace are matched against what the cluster-wide ones made
// of the manifest. `policies` may hold more than concern it (see PossibleOverrides). Each operation
// that changed something is appended to `applied`. On an error the manifest is unspecified and the
// message names policy, rule, overrider and path: "OverridePolicy classroom/registry rule 0
// plaintext[1] replace /spec/x: no such field".
[[nodiscard]] absl::Status ApplyOverrides(const std::vector<const OverridePolicy*>& policies,
                                          const v1::ClusterStatus& cluster, Json& manifest,
                                          std::vector<v1::AppliedOverride>* applied);

// Which rules of the policies concern the cluster, as a text: for two clusters with equal texts
// ApplyOverrides does the same, so they share one rendering.
// Includes the cluster's own values where a policy expands them.
[[nodiscard]] std::string OverrideKey(const std::vector<const OverridePolicy*>& policies,
                                      const v1::ClusterStatus& cluster);

}  // namespace sealane::policy
