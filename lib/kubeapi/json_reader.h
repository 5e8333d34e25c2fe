#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// Reads a JSON text into `out`; false when it is none. Of keys that an object has twice the last
// one counts; their paths ("spec.ports[0].name") are added to `duplicates` if it is there, which
// costs nothing for texts without any.
[[nodiscard]] bool ReadJson(std::string_view text, Json& out, std::vector<std::string>* duplicates);

}  // namespace sealane::kubeapi
