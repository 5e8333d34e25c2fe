#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "tools/sealane/command.h"

namespace sealane::cli {

// Publishes the Cluster object with what `change` makes of its manifest, and only if nobody changed
// it meanwhile. `change` returns false when there is nothing to do. NOT_FOUND: there is no such
// cluster, or it is being removed.
[[nodiscard]] absl::Status ChangeCluster(Fleet& fleet, const std::string& name,
                                         absl::Duration timeout,
                                         const std::function<bool(Json& manifest)>& change);

// `sealane status --cluster NAME`: how it is, and how far what is placed there. kNotHealthy unless
// it is ready and everything is healthy.
int ShowCluster(const Invocation& invocation, Fleet& fleet, const std::string& name,
                absl::Duration timeout);

}  // namespace sealane::cli
