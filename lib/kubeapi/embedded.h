#pragma once

#include "lib/core/json_fwd.h"

namespace sealane::kubeapi {

// The tables under lib/kubeapi/data, which the build puts into the library as they are (gzip).
// Each call inflates and parses anew: callers keep what they need.
[[nodiscard]] Json EmbeddedSchema();
[[nodiscard]] Json EmbeddedProtobuf();

}  // namespace sealane::kubeapi
