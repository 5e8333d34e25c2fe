#pragma once

#include <string>

#include "lib/core/json_fwd.h"
#include "sealane/v1/source.pb.h"

namespace sealane::source {

// A source as queries answer it (docs/events.md); `objects`: with the list of what it owns.
// `checked_micros`: when its repository was last read without an error, 0: not by this process.
[[nodiscard]] Json StateToJson(const v1::GitSourceState& state, int64_t checked_micros,
                               bool objects);

}  // namespace sealane::source
