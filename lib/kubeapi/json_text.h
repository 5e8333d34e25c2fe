#pragma once

#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// A string member; empty when absent, of another type, or when `object` is none.
[[nodiscard]] std::string Text(const Json& object, const char* field);
// The same without a copy: it lives as long as the member stays as it is.
[[nodiscard]] std::string_view TextView(const Json& object, const char* field);

}  // namespace sealane::kubeapi
