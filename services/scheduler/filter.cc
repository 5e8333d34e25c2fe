#include "services/scheduler/filter.h"

#include "lib/core/strings.h"

namespace sealane::scheduler {

bool ChoosesClusters(const FilterContext& context) { return !context.request.all_clusters; }

const std::array<FilterPlugin, kFilterCount>& FilterPlugins() {
  static const std::array<FilterPlugin, kFilterCount> plugins = {
      kClusterDeletionFilter, kApiEnablementFilter,    kTaintTolerationFilter,
      kClusterAffinityFilter, kSpreadConstraintFilter, kClusterEvictionFilter,
      kFailoverScopeFilter,   kWorkloadAffinityFilter, kWorkloadAntiAffinityFilter};
  return plugins;
}

Filters::Filters(const FilterContext& context) : context_(context) {
  const auto& plugins = FilterPlugins();
  for (size_t i = 0; i < plugins.size(); ++i) {
    if (plugins[i].relevant != nullptr && !plugins[i].relevant(context)) continue;
    active_[count_++] = {plugins[i].passes, FilterMask{1} << i};
  }
}

FilterMask Filters::Run(const ClusterInfo& cluster) const {
  FilterMask mask = 0;
  for (size_t i = 0; i < count_; ++i) {
    if (!active_[i].passes(context_, cluster)) mask |= active_[i].bit;
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
