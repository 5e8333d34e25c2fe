#pragma once

#include <cstdint>
#include <string>

#include "lib/core/env.h"

namespace sealane {

// A random (version 4) UUID in its usual text form, as Kubernetes uses for uids.
[[nodiscard]] std::string NewUuid(Random& random);
// One made of these bits, of which six give way to the version and the variant: the same for the
// same bits.
[[nodiscard]] std::string UuidFrom(uint64_t high, uint64_t low);

}  // namespace sealane
