#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sealane {

// Writes a file that appears with its whole content at once: a reader sees the old one or the new
// one. UNAVAILABLE names the path. Blocks; for start-up.
[[nodiscard]] absl::Status WriteFileAtomically(const std::string& path, std::string_view text);

// Lets this process have at least `wanted` file descriptors open, as far as the system's hard limit
// goes. Gives the limit that holds now.
size_t RaiseFileLimit(size_t wanted);

}  // namespace sealane
