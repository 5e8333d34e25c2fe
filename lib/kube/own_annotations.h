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

// Annotations that switch on what Karmada has not. The set is closed: a key below sealane.io/ that
// is not known, or that stands on the wrong kind of object, has no effect, and its author is told.
// docs/policies.md, docs/scheduling.md and docs/agent.md explain them.

// On an override policy, "All": image, command, args and environment overriders also reach init and
// ephemeral containers, and CronJobs.
inline constexpr std::string_view kContainersAnnotation = "sealane.io/containers";
// On an override policy, "true": ${cluster.name} and the like in values are replaced.
inline constexpr std::string_view kExpandAnnotation = "sealane.io/expand";
// On a propagation policy, "Withdraw": deleting the policy removes what it placed.
inline constexpr std::string_view kOnPolicyDeleteAnnotation = "sealane.io/on-policy-delete";

// On any object, "false": a GitSource leaves it in the fleet when it leaves the repository.
inline constexpr std::string_view kPruneAnnotation = "sealane.io/prune";

// Appends an error for each annotation of a policy below sealane.io/ that is not known, belongs to
// another kind, or has a value that means nothing. `policy` is one of the four kinds of policy.
void CheckPolicyAnnotations(const Json& policy, std::vector<v1::FieldError>* errors);

// Appends a warning for each such annotation of any other object: it is taken, and has no effect.
void WarnOfAnnotations(const Json& object, std::vector<std::string>* warnings);

}  // namespace kube
}  // namespace sealane
