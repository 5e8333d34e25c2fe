#pragma once

#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"

namespace sealane::conformance {

// Runs one case ({"id", "op", "in", "want"}) and judges the answer. "" when it agrees; otherwise
// what differed.
[[nodiscard]] std::string RunCase(const Json& test_case);

}  // namespace sealane::conformance
