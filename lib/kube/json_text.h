#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// Bounds on what a document may become, whatever its text says.
inline constexpr int kMaxDepth = 100;
inline constexpr size_t kMaxNodes = 400'000;  // after the expansion of YAML aliases

// Parses exactly one JSON value, within the bounds above. INVALID_ARGUMENT with line and column for
// malformed text, text that is not UTF-8, and a key that appears twice in an object.
[[nodiscard]] absl::Status ReadJson(std::string_view text, Json* value);

// Whether the bytes are well-formed UTF-8.
[[nodiscard]] bool IsUtf8(std::string_view text);

}  // namespace sealane::kube
