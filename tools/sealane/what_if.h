#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/query.pb.h"

namespace sealane::cli {

// The row that a Cluster manifest would have: what it says itself (`status` included: capacity as
// resourceSummary, kinds as apiEnablements), and what it leaves out as `present`, the row of that
// name, has it. A cluster that nobody knows yet is ready and serves the kinds that every cluster of
// `fleet` serves; `notes` gets what was assumed. INVALID_ARGUMENT names a field.
[[nodiscard]] absl::StatusOr<v1::ClusterStatus> ImagineCluster(const Json& manifest,
                                                               const v1::QueryReply& fleet,
                                                               std::vector<std::string>* notes);

}  // namespace sealane::cli
