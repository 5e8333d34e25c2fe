#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class FieldError;
}  // namespace v1

namespace kube {

// Labels and annotations by which an object itself says how it is to be treated. They are
// Karmada's; docs/policies.md explains them.

// "Always": deleting the object is refused.
inline constexpr std::string_view kDeletionProtectedLabel =
    "resourcetemplate.karmada.io/deletion-protected";
// On a Namespace, "true": it does not follow its content into member clusters.
inline constexpr std::string_view kSkipAutoPropagationLabel =
    "namespace.karmada.io/skip-auto-propagation";
// "overwrite" or "abort": beats the policy's conflictResolution.
inline constexpr std::string_view kConflictResolutionAnnotation =
    "work.karmada.io/conflict-resolution";

// Of a manifest in canonical JSON, as text: few objects have these, so it is parsed only if the
// label's name occurs in it.
[[nodiscard]] bool IsDeletionProtected(std::string_view manifest);
[[nodiscard]] bool SkipsAutoPropagation(std::string_view manifest);

// What the object says about conflicts, in the words of a policy: "Overwrite", "Abort", or "" when
// it says nothing (or something unknown, which Karmada ignores too).
[[nodiscard]] std::string_view ConflictResolutionOf(const Json& manifest);

// Appends what is wrong with an object whose value decides: spec of a PriorityClass. A mark with an
// unknown value, and an annotation below sealane.io/ that is none for objects, are ignored, and a
// warning says so.
void CheckMarks(const Json& manifest, std::vector<v1::FieldError>* errors,
                std::vector<std::string>* warnings);

}  // namespace kube
}  // namespace sealane
