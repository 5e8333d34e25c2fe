#pragma once

#include <string>

#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// A string member; empty when absent, of another type, or when `object` is none.
[[nodiscard]] std::string Text(const Json& object, const char* field);

}  // namespace sealane::kubeapi
