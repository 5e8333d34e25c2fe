#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealane::cli {

// The whole file. Errors name the path and the reason the system gave.
[[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path);

// Makes the directory and those above it, and closes it to everyone but the owner.
[[nodiscard]] absl::Status MakeDirectory(const std::string& path);

// Writes the file so that a reader sees the old or the new content, never a part; `mode` as for
// chmod.
[[nodiscard]] absl::Status WriteFile(const std::string& path, std::string_view content,
                                     unsigned mode);

}  // namespace sealane::cli
