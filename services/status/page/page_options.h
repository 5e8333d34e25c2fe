#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "lib/runtime/flags.h"
#include "services/status/page/page.h"

namespace sealane::status {

// The flags of the web page, with the defaults of PageOptions.
[[nodiscard]] std::vector<Flag> PageFlags();
// INVALID_ARGUMENT names the flag.
[[nodiscard]] absl::StatusOr<PageOptions> ParsePageOptions(const Flags& flags);

}  // namespace sealane::status
