#pragma once

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::conformance {

// The operations on clusters and placements: each takes a case's `in` and answers in the form of
// its `want`. An error of RunSchedule is a failed schedule; its message begins with the kind of
// failure.
[[nodiscard]] absl::StatusOr<Json> RunClusterMatch(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunSchedule(const Json& in);

}  // namespace sealane::conformance
