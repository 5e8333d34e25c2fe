// A cluster that lacks the property by which the placement spreads belongs to no group.

#include "lib/core/strings.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

bool HasProperty(const SpreadRule& rule, const ClusterInfo& cluster) {
  switch (rule.by) {
    case SpreadRule::By::kCluster:
      return true;
    case SpreadRule::By::kRegion:
      return !cluster.region.empty();
    case SpreadRule::By::kZone:
      return !cluster.zones.empty();
    case SpreadRule::By::kProvider:
      return !cluster.provider.empty();
    case SpreadRule::By::kLabel:
      return LabelsView(cluster.labels).Find(rule.label) != nullptr;
  }
  return true;
}

bool HasProperties(const FilterContext& context, const ClusterInfo& cluster) {
  for (const SpreadRule& rule : context.request.spread) {
    if (!HasProperty(rule, cluster)) return false;
  }
  return true;
}

std::string WhyNoProperty(const FilterContext& context, const ClusterInfo& cluster) {
  std::vector<std::string> properties;
  for (const SpreadRule& rule : context.request.spread) {
    if (!HasProperty(rule, cluster)) properties.push_back(rule.Describe());
  }
  return StrCat("the cluster has no ", StrJoin(properties, ", no "));
}

bool HasSpread(const FilterContext& context) {
  return !context.request.all_clusters && !context.request.spread.empty();
}

}  // namespace

const FilterPlugin kSpreadConstraintFilter = {"SpreadConstraint", &HasProperties, &WhyNoProperty,
                                              &HasSpread};

}  // namespace sealane::scheduler
