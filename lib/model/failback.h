#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane {

// The value of a policy's annotation sealane.io/failback (docs/scheduling.md). "Never" (also for an
// empty text) is InfiniteDuration; "WhenHealthyFor=5m" is 5 minutes; anything else is
// INVALID_ARGUMENT.
[[nodiscard]] absl::StatusOr<absl::Duration> ParseFailback(std::string_view text);

}  // namespace sealane
