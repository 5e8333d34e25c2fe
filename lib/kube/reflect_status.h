#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "lib/core/json_fwd.h"

namespace sealane::kube {

// The annotation that carries the generation of the template an object was rendered from.
inline constexpr char kTemplateGenerationAnnotation[] = "resourcetemplate.karmada.io/generation";

// What of a member's object is reported to the control plane: the fields of its status that
// aggregation needs, for the kinds that Karmada's native interpreter knows; the whole status for
// any other kind; null when there is nothing to report.
//
// The status of a Deployment, ReplicaSet, StatefulSet or DaemonSet also carries `generation` (the
// member object's own) and `resourceTemplateGeneration`: `template_generation` if given, else the
// object's annotation. INVALID_ARGUMENT when neither is there, or when the status is malformed.
[[nodiscard]] absl::StatusOr<Json> ReflectStatus(
    const Json& object, std::optional<int64_t> template_generation = std::nullopt);

}  // namespace sealane::kube
