#pragma once

#include <string>

#include "lib/core/json_fwd.h"

namespace sealane::conformance {

// Compares as the data asks: an absent field equals null, an empty map or list equals an absent
// one, 1 equals 1.0, texts that are Kubernetes quantities compare by value. "" when equal;
// otherwise the first difference: "spec.replicas: 3, wanted 4".
[[nodiscard]] std::string Difference(const Json& got, const Json& want,
                                     const std::string& path = "");

}  // namespace sealane::conformance
