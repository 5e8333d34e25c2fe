#pragma once

#include <cstddef>
#include <vector>

#include "lib/core/json_fwd.h"

namespace sealane {

namespace v1 {
class ClusterStatus;
}  // namespace v1

namespace status {

// How much of a large fleet is told one by one; the sums are always of all of it.
struct SummaryLimits {
  size_t regions = 200;
  size_t clusters_per_region = 60;
  size_t clusters = 1200;
};

// The fleet by provider and region:
//   {"clusters": {"total", "states": {state: count}, "marks": {mark: count}},
//    "capacity": of the clusters that are Ready,
//    "providers": [{"provider", "total", "regions": [
//        {"region", "total", "states", "capacity",
//         "clusters": [{"name", "state", "marks"}], "more": clusters left out}]}],
//    "moreRegions": regions left out}
// Providers and regions come by name; clusters that are not Ready first, then by name. Pure.
[[nodiscard]] Json SummarizeClusters(const std::vector<const v1::ClusterStatus*>& clusters,
                                     const SummaryLimits& limits = {});

}  // namespace status
}  // namespace sealane
