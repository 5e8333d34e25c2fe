#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/schema.h"

namespace sealane::kubeapi {

// Parses JSON, or YAML when it is not JSON and `yaml` is allowed. The error is one line, in the
// words of the format's parser. Of keys that an object has twice the last one counts; what there is
// to say of them is added to `doubled`, if it is there, in the words of the real server.
[[nodiscard]] absl::StatusOr<Json> ParseText(std::string_view text, bool yaml,
                                             std::vector<std::string>* doubled = nullptr);

// Checks the JSON types of a built-in object and brings it into the form in which the real server
// stores it: no nulls, no empty maps and lists, quantities canonical, structs held by value
// present, bytes without line ends. Fields that the type lacks are dropped and their paths added to
// `unknown`. Error: the text that follows "cannot be handled as a X: ".
[[nodiscard]] absl::StatusOr<Json> FitBuiltin(const Type& type, const Json& value,
                                              std::vector<std::string>& unknown);

// A quantity in Kubernetes' canonical text ("1000m" is "1", "0.5" is "500m"). Error: not a
// quantity.
[[nodiscard]] absl::StatusOr<std::string> CanonicalQuantity(std::string_view text);

}  // namespace sealane::kubeapi
