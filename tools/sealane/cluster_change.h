#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "tools/sealane/command.h"

namespace sealane::cli {

// ChangeObject (object_change.h) of the Cluster object of that name.
[[nodiscard]] absl::StatusOr<bool> ChangeCluster(Fleet& fleet, const std::string& name,
                                                 const std::string& publisher,
                                                 absl::Duration timeout,
                                                 const std::function<bool(Json& manifest)>& change);

// `sealane status --cluster NAME`: how it is, and how far what is placed there. kNotHealthy unless
// it is ready and everything is healthy.
int ShowCluster(const Invocation& invocation, Fleet& fleet, const std::string& name,
                absl::Duration timeout);

}  // namespace sealane::cli
