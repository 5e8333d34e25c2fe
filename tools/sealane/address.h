#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sealane::cli {

// "HOST:PORT"; the port alone is enough for `host` to stay as it is. INVALID_ARGUMENT names the
// flag.
[[nodiscard]] absl::Status ParseAddress(std::string_view flag, std::string_view text,
                                        std::string* host, int* port);

}  // namespace sealane::cli
