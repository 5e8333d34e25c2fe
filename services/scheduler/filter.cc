#include "services/scheduler/filter.h"

#include "lib/core/strings.h"

namespace sealane::scheduler {

const std::array<FilterPlugin, kFilterCount>& FilterPlugins() {
  static const std::array<FilterPlugin, kFilterCount> plugins = {
      kClusterDeletionFilter,  kApiEnablementFilter,       kTaintTolerationFilter,
      kClusterAffinityFilter,  kSpreadConstraintFilter,    kClusterEvictionFilter,
      kWorkloadAffinityFilter, kWorkloadAntiAffinityFilter};
  return plugins;
}

FilterMask RunFilters(const FilterContext& context, const ClusterInfo& cluster) {
  FilterMask mask = 0;
  const auto& plugins = FilterPlugins();
  for (size_t i = 0; i < plugins.size(); ++i) {
    if (!plugins[i].passes(context, cluster)) mask |= FilterMask{1} << i;
  }
  return mask;
}

std::vector<std::string> FilterReasons(const FilterContext& context, const ClusterInfo& cluster,
                                       FilterMask mask) {
  std::vector<std::string> reasons;
  const auto& plugins = FilterPlugins();
  for (size_t i = 0; i < plugins.size(); ++i) {
    if ((mask >> i & 1) == 0) continue;
    reasons.push_back(StrCat(plugins[i].name, ": ", plugins[i].why(context, cluster)));
  }
  return reasons;
}

}  // namespace sealane::scheduler
