#pragma once

#include <string>
#include <string_view>

#include "lib/core/json_fwd.h"
#include "lib/kubeapi/resource.h"

namespace sealane::kubeapi {

// The discovery documents of a registry, as kube-apiserver shapes them. Null when the group or
// version does not exist.
[[nodiscard]] Json RootPaths(const Registry& registry);                              // /
[[nodiscard]] Json VersionDocument();                                                // /version
[[nodiscard]] Json CoreVersions(std::string_view server_address);                    // /api
[[nodiscard]] Json GroupList(const Registry& registry);                              // /apis
[[nodiscard]] Json GroupDocument(const Registry& registry, std::string_view group);  // /apis/<g>
[[nodiscard]] Json ResourceList(const Registry& registry, std::string_view group,
                                std::string_view version);  // /api/v1, /apis/<g>/<v>
// Aggregated discovery of /api (core) or /apis.
[[nodiscard]] Json AggregatedDiscovery(const Registry& registry, bool core);

}  // namespace sealane::kubeapi
