// Workload affinity: where the others of the group run. Anti-affinity: where none of them runs.
// Sticky: a cluster in use passes.

#include "lib/core/strings.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

bool WithGroup(const FilterContext& context, const ClusterInfo& cluster) {
  const std::string& group = context.request.affinity_group;
  return context.in_use || context.groups->AllRunIn(group, *context.request.binding, cluster.name);
}

std::string WhyNotWithGroup(const FilterContext& context, const ClusterInfo& /*cluster*/) {
  return StrCat("another workload of group ", context.request.affinity_group,
                " does not run in the cluster");
}

bool ApartFromGroup(const FilterContext& context, const ClusterInfo& cluster) {
  const std::string& group = context.request.anti_affinity_group;
  return context.in_use ||
         !context.groups->AnyRunsIn(group, *context.request.binding, cluster.name);
}

std::string WhyNotApart(const FilterContext& context, const ClusterInfo& /*cluster*/) {
  return StrCat("another workload of group ", context.request.anti_affinity_group,
                " runs in the cluster");
}

bool HasGroup(const FilterContext& context) {
  return context.groups != nullptr && !context.request.affinity_group.empty();
}

bool HasAntiGroup(const FilterContext& context) {
  return context.groups != nullptr && !context.request.anti_affinity_group.empty();
}

}  // namespace

const FilterPlugin kWorkloadAffinityFilter = {"WorkloadAffinity", &WithGroup, &WhyNotWithGroup,
                                              &HasGroup};
const FilterPlugin kWorkloadAntiAffinityFilter = {"WorkloadAntiAffinity", &ApartFromGroup,
                                                  &WhyNotApart, &HasAntiGroup};

}  // namespace sealane::scheduler
