// The cluster must match the group that is tried, or one of its overflow tiers (workloads only:
// other objects need no capacity, so they never overflow).

#include "lib/core/strings.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

// Objects that need no capacity never overflow.
bool Overflows(const Request& request) { return request.workload || request.components; }

bool Matches(const FilterContext& context, const ClusterInfo& cluster) {
  if (context.tier != FilterContext::kNotAsked) return context.tier >= 0;
  const ClusterFacts facts = cluster.Facts();
  if (context.term.primary.matcher.Matches(facts)) return true;
  if (!Overflows(context.request)) return false;
  for (const ClusterRule& tier : context.term.overflow) {
    if (tier.matcher.Matches(facts)) return true;
  }
  return false;
}

std::string WhyNoMatch(const FilterContext& context, const ClusterInfo& cluster) {
  const ClusterFacts facts = cluster.Facts();
  std::string why = context.term.primary.matcher.WhyNot(facts);
  if (Overflows(context.request)) {
    for (size_t i = 0; i < context.term.overflow.size(); ++i) {
      why +=
          StrCat("; overflow tier ", i + 1, ": ", context.term.overflow[i].matcher.WhyNot(facts));
    }
  }
  return context.term.name.empty() ? why : StrCat("group ", context.term.name, ": ", why);
}

}  // namespace

ClusterTiers::ClusterTiers(const Request& request, const AffinityTerm& term,
                           const Snapshot& snapshot) {
  tiers_.emplace_back(term.primary, snapshot);
  if (!Overflows(request)) return;
  for (const ClusterRule& tier : term.overflow) tiers_.emplace_back(tier, snapshot);
}

int32_t ClusterTiers::Of(size_t index, const ClusterInfo& cluster) const {
  for (size_t i = 0; i < tiers_.size(); ++i) {
    if (tiers_[i].Matches(index, cluster)) return static_cast<int32_t>(i);
  }
  return -1;
}

const FilterPlugin kClusterAffinityFilter = {"ClusterAffinity", &Matches, &WhyNoMatch,
                                             &ChoosesClusters};

}  // namespace sealane::scheduler
