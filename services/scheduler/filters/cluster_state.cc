// Filters on the state of the cluster itself: it is going, or it is being left.

#include <algorithm>

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

}  // namespace

const FilterPlugin kClusterDeletionFilter = {"ClusterDeletion", &NotDeleting, &WhyDeleting};
const FilterPlugin kClusterEvictionFilter = {"ClusterEviction", &NotEvicting, &WhyEvicting,
                                             &EvictionMatters};

}  // namespace sealane::scheduler
