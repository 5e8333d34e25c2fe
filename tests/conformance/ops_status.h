#pragma once

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::conformance {

// The operations on statuses: each takes a case's `in` and answers in the form of its `want`. An
// error means the case's input is refused.
[[nodiscard]] absl::StatusOr<Json> RunHealth(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunReflectStatus(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunAggregateStatus(const Json& in);

}  // namespace sealane::conformance
