#pragma once

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::conformance {

// The operations of the policy service. RunAdmit answers in the form of a case's `want`; a refused
// policy gives {"allowed": false, "fields": [...]}.
[[nodiscard]] absl::StatusOr<Json> RunAdmit(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunSelectPolicy(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunOverride(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunReplicas(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunReviseReplica(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunDependencies(const Json& in);
[[nodiscard]] absl::StatusOr<Json> RunPrune(const Json& in);

}  // namespace sealane::conformance
