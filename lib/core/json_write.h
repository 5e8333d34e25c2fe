#pragma once

#include <string>

#include "lib/core/json_fwd.h"

namespace sealane {

// Compact JSON with sorted keys: equal values give equal bytes, those of Json::dump. Bytes that are
// not UTF-8 become U+FFFD. Any thread.
[[nodiscard]] std::string WriteJson(const Json& value);

}  // namespace sealane
