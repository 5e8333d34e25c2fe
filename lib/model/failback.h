#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane {

// The value of a policy's annotation sealane.io/failback (docs/scheduling.md). "Never" (also for an
// empty text) is InfiniteDuration; "WhenHealthyFor=5m" is 5 minutes; anything else is
// INVALID_ARGUMENT.
[[nodiscard]] absl::StatusOr<absl::Duration> ParseFailback(std::string_view text);

// How much later than others an object returns, so that not everything moves at once: between zero
// and `spread`, always the same for one uid.
[[nodiscard]] absl::Duration FailbackDelay(std::string_view uid, absl::Duration spread);

}  // namespace sealane
