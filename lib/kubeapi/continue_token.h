#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sealane::kubeapi {

// Where the next page of a list begins. Opaque to clients: base64url of a small JSON.
struct ContinueToken {
  uint64_t revision = 0;
  std::string ns;
  std::string name;  // the last object of the page before

  [[nodiscard]] std::string Encode() const;
  static absl::StatusOr<ContinueToken> Decode(std::string_view text);
};

}  // namespace sealane::kubeapi
