#pragma once

#include <string_view>

#include "absl/status/statusor.h"

namespace sealane::kubesim {

// The value of a Kubernetes quantity ("500m" is 0.5, "1Gi" is 1073741824).
[[nodiscard]] absl::StatusOr<double> QuantityValue(std::string_view text);

}  // namespace sealane::kubesim
