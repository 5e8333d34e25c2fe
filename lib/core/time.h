#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace sealane {

// Kubernetes' time text, RFC 3339 in UTC with whole seconds: "2026-01-02T03:04:05Z".
[[nodiscard]] std::string FormatKubeTime(absl::Time time);
// Parses RFC 3339 with or without fractions of a second.
[[nodiscard]] absl::StatusOr<absl::Time> ParseKubeTime(std::string_view text);

// Times travel in messages as microseconds since the Unix epoch; 0 means unset.
[[nodiscard]] inline int64_t ToMicros(absl::Time time) { return absl::ToUnixMicros(time); }
[[nodiscard]] inline absl::Time FromMicros(int64_t micros) { return absl::FromUnixMicros(micros); }

}  // namespace sealane
