#pragma once

#include <string>

#include "lib/core/env.h"

namespace sealane {

// A random (version 4) UUID in its usual text form, as Kubernetes uses for uids.
[[nodiscard]] std::string NewUuid(Random& random);

}  // namespace sealane
