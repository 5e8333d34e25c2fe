#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/json_fwd.h"
#include "lib/kubeapi/store.h"

namespace sealane::kubeauth {

// The ClusterRoles that every cluster has without anybody having made them, with the
// ClusterRoleBinding of `cluster-admin` to system:masters. `admin`, `edit` and `view` gather the
// roles that are labelled for them, as in Kubernetes; those of Karmada's kinds are among these.
// Pure functions.

// Their keys, in a fixed order.
[[nodiscard]] const std::vector<kubeapi::ObjectKey>& DefaultRbacKeys();
// The object of a key, without resourceVersion; null when it is none of them. `since`: when it is
// said to be made. The same for everybody who asks.
[[nodiscard]] Json DefaultRbacObject(const kubeapi::ObjectKey& key, absl::Time since);

}  // namespace sealane::kubeauth
