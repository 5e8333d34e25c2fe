#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// Parses a stream of YAML documents into JSON values, as Kubernetes' clients read YAML: YAML 1.1
// scalars (yes, on, 0644, 0x1f, 1_000), keys become strings, `<<` merges, dates stay text. Empty
// documents are left out. `lines` (may be null) gets the line on which each value begins, from 1.
//
// INVALID_ARGUMENT with line and column for malformed text, a key that appears twice, unknown tags,
// numbers that JSON has not (.nan, .inf), and documents beyond the bounds of lib/kube/json_text.h.
// Source of the scalar rules: go-yaml v2, as used by sigs.k8s.io/yaml.
[[nodiscard]] absl::Status ReadYaml(std::string_view text, std::vector<Json>* values,
                                    std::vector<int>* lines);

// What a plain (unquoted) scalar means: null, a boolean, a number or a string. INVALID_ARGUMENT for
// .nan and .inf.
[[nodiscard]] absl::Status ResolvePlainScalar(std::string_view text, Json* value);

}  // namespace sealane::kube
