#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sealane::kube {

// The parts of an image reference: [registry/]repository[:tag][@digest]. The registry is the first
// segment if it has a '.' or ':' or is "localhost". Of a reference with tag and digest, the tag is
// kept. Source: Karmada's pkg/util/imageparser over distribution/reference.
struct ImageReference {
  std::string registry;
  std::string repository;
  std::string tag;
  std::string digest;  // "sha256:..."

  [[nodiscard]] std::string ToString() const;
  [[nodiscard]] const std::string& TagOrDigest() const { return tag.empty() ? digest : tag; }
  // Text that is neither a tag nor a digest changes nothing.
  void SetTagOrDigest(std::string_view text);
};

// INVALID_ARGUMENT for text that is not an image reference.
[[nodiscard]] absl::StatusOr<ImageReference> ParseImage(std::string_view text);

}  // namespace sealane::kube
