#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace sealane::agent {

// A word for a failed request when the API server gave none ("Forbidden", "Timeout", "Error").
[[nodiscard]] std::string_view CodeReason(const absl::Status& status);

// Whether the API server refused a change only because fields cannot change in place, so that
// deleting the object and making it anew would help. A manifest that is wrong in another way, too,
// would be refused again, and the object would be gone: then it is not.
[[nodiscard]] bool OnlyImmutable(const absl::Status& status);

}  // namespace sealane::agent
