#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sealane::bench {

// The applications of the pipeline benchmark: a Deployment each, as a platform would send it (about
// 1.3 kB), claimed by one PropagationPolicy and changed per region by one OverridePolicy.

// "bench-0001"; regions and providers take turns.
[[nodiscard]] std::string ClusterName(int index);
[[nodiscard]] std::string AppName(int index);

// cluster.karmada.io/v1alpha1 Cluster; the region follows from `turn`.
[[nodiscard]] std::string ClusterManifest(std::string_view name, int turn);
// What is in place before the first application: namespace, PropagationPolicy (all clusters but
// `without`), OverridePolicy.
[[nodiscard]] std::vector<std::string> SetupManifests(std::string_view without);
// A PropagationPolicy that sends `count` applications, from `first` on, to that cluster alone.
[[nodiscard]] std::string PolicyForOnly(std::string_view cluster, int first, int count);
// `version` appears as the image's tag.
[[nodiscard]] std::string AppManifest(int index, int version);

}  // namespace sealane::bench
