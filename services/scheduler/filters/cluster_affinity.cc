// The cluster must match the group that is tried, or one of its overflow tiers (workloads only:
// other objects need no capacity, so they never overflow).

#include "lib/core/strings.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

bool Matches(const FilterContext& context, const ClusterInfo& cluster) {
  const ClusterFacts facts = cluster.Facts();
  if (context.term.primary.Matches(facts)) return true;
  if (!context.request.workload && !context.request.components) return false;
  for (const AffinityMatcher& tier : context.term.overflow) {
    if (tier.Matches(facts)) return true;
  }
  return false;
}

std::string WhyNoMatch(const FilterContext& context, const ClusterInfo& cluster) {
  const std::string why = context.term.primary.WhyNot(cluster.Facts());
  return context.term.name.empty() ? why : StrCat("group ", context.term.name, ": ", why);
}

bool Matters(const FilterContext& context) { return !context.request.all_clusters; }

}  // namespace

const FilterPlugin kClusterAffinityFilter = {"ClusterAffinity", &Matches, &WhyNoMatch, &Matters};

}  // namespace sealane::scheduler
