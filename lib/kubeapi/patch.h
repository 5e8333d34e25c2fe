#pragma once

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/schema.h"

namespace sealane::kubeapi {

// The three patch forms besides server-side apply. Pure functions of the current object and the
// patch; errors are the Kubernetes ones (400 malformed, 422 does not apply).

// RFC 6902.
[[nodiscard]] absl::StatusOr<Json> ApplyJsonPatch(const Json& object, const Json& patch);
// RFC 7386.
[[nodiscard]] absl::StatusOr<Json> ApplyMergePatch(const Json& object, const Json& patch);
// Kubernetes' own: lists merge by key as the type says, with the directives $patch, $retainKeys,
// $setElementOrder/<field> and $deleteFromPrimitiveList/<field>.
[[nodiscard]] absl::StatusOr<Json> ApplyStrategicMergePatch(const Type& type, const Json& object,
                                                            const Json& patch);

}  // namespace sealane::kubeapi
