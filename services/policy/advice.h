#pragma once

#include <string>
#include <vector>

#include "lib/core/json_fwd.h"
#include "services/policy/state.h"

namespace sealane::policy {

// What is likely a mistake in an admitted policy, seen beside the fleet and the other manifests of
// its deploy event (`beside`): it selects no object, or it names clusters that nobody registered,
// each with its path. Neither is a reason to refuse it: the objects and clusters may come later.
// Bounded: a policy that more than some thousand objects may fit is taken to select something.
[[nodiscard]] std::vector<std::string> AdviseOnPolicy(const State& state,
                                                      const std::vector<const Json*>& beside,
                                                      const Json& policy);

}  // namespace sealane::policy
