#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::cli {

// What suspend and resume do to a policy's manifest. False when there is nothing to do. Without
// clusters: everywhere.

// FAILED_PRECONDITION when clusters are given and everything is suspended already.
[[nodiscard]] absl::StatusOr<bool> Suspend(const std::vector<std::string>& clusters,
                                           Json& manifest);
// FAILED_PRECONDITION when clusters are given and everything is suspended: one cluster cannot be
// taken out of that.
[[nodiscard]] absl::StatusOr<bool> Resume(const std::vector<std::string>& clusters, Json& manifest);

}  // namespace sealane::cli
