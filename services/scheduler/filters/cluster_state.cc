// Filters on the state of the cluster itself: it is going, it is being left, or it is too far from
// one that is being left.

#include <algorithm>

#include "lib/core/strings.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

// Namespaces and the like do not run: they stay while a cluster is drained.
bool NotDeleting(const FilterContext& context, const ClusterInfo& cluster) {
  return !cluster.deleting && (!cluster.drained || context.request.all_clusters);
}

std::string WhyDeleting(const FilterContext& /*context*/, const ClusterInfo& cluster) {
  return cluster.deleting ? "the cluster is being removed" : "the cluster is drained";
}

bool NotEvicting(const FilterContext& context, const ClusterInfo& cluster) {
  const auto& evicting = context.request.evicting;
  return !std::binary_search(evicting.begin(), evicting.end(), cluster.name);
}

std::string WhyEvicting(const FilterContext& /*context*/, const ClusterInfo& /*cluster*/) {
  return "the object is being evicted from the cluster";
}

bool EvictionMatters(const FilterContext& context) { return !context.request.evicting.empty(); }

bool Near(const FilterContext& context, const ClusterInfo& cluster) {
  return context.in_use || context.request.vicinity->Has(cluster);
}

std::string WhyNotNear(const FilterContext& context, const ClusterInfo& /*cluster*/) {
  const Vicinity& vicinity = *context.request.vicinity;
  std::vector<std::string> near;
  if (!vicinity.providers.empty()) {
    near.push_back(StrCat("provider ", StrJoin(vicinity.providers, ", ")));
  }
  if (!vicinity.regions.empty()) near.push_back(StrCat("region ", StrJoin(vicinity.regions, ", ")));
  if (near.empty()) return "nobody knows what is near the clusters that are left";
  return StrCat("not of ", StrJoin(near, " or "));
}

bool ScopeMatters(const FilterContext& context) { return context.request.vicinity != nullptr; }

}  // namespace

const FilterPlugin kClusterDeletionFilter = {"ClusterDeletion", &NotDeleting, &WhyDeleting};
const FilterPlugin kClusterEvictionFilter = {"ClusterEviction", &NotEvicting, &WhyEvicting,
                                             &EvictionMatters};
const FilterPlugin kFailoverScopeFilter = {"FailoverScope", &Near, &WhyNotNear, &ScopeMatters};

}  // namespace sealane::scheduler
