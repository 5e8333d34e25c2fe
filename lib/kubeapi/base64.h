#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sealane::kubeapi {

// Where a text stops being standard base64 (RFC 4648 with padding; line ends are skipped), counted
// as Go's decoder counts; nothing when all of it is.
[[nodiscard]] std::optional<size_t> Base64Fault(std::string_view text);

}  // namespace sealane::kubeapi
