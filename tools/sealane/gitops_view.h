#pragma once

#include <string>

#include "lib/core/json_fwd.h"
#include "tools/sealane/views.h"

namespace sealane::cli {

// The sources that the source service tells of (docs/events.md, what = sources), one per line.
[[nodiscard]] std::string FormatSources(const Json& sources, const ViewOptions& options);
// One of them with everything: commits, what is wrong, and what it owns.
[[nodiscard]] std::string FormatSource(const Json& source, const ViewOptions& options);

}  // namespace sealane::cli
