#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class AppStatus;
class ClusterStatus;
class StoredObject;
}  // namespace v1

namespace gateway {

// The finalizer that is shown while an object's works are being withdrawn from the clusters.
inline constexpr std::string_view kWithdrawFinalizer = "sealane.io/withdraw";

// Pure functions between what is on the bus and what the Kubernetes API shows.

// The object as the API shows it, without resourceVersion: its manifest, what intake and the
// gateway keep with it, and the status that the fleet reports. `app` and `cluster` may be nullptr.
// INVALID_ARGUMENT when the row holds no object.
[[nodiscard]] absl::StatusOr<Json> MakeObject(const v1::StoredObject& row, const v1::AppStatus* app,
                                              const v1::ClusterStatus* cluster);

// What a write of the API becomes: desired state, and the rest, for StoredObject.api_metadata.
struct Split {
  std::string manifest;
  std::string api_metadata;
};
[[nodiscard]] Split SplitObject(Json object, std::string_view api_version, std::string_view kind);

// A namespace that objects are in though nobody created it, or that every cluster has.
[[nodiscard]] Json ImpliedNamespace(std::string_view name, absl::Time since);

}  // namespace gateway
}  // namespace sealane
