// NoSchedule and NoExecute taints keep away what does not tolerate them. Sticky: a cluster in use
// passes; an expired NoExecute taint removes it from the placement in force before (reasons.h).

#include "lib/core/strings.h"
#include "lib/model/toleration.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

const v1::Taint* Untolerated(const FilterContext& context, const ClusterInfo& cluster) {
  const auto& tolerations = context.request.binding->placement().cluster_tolerations();
  for (const v1::Taint& taint : cluster.taints) {
    if (!TaintIsTolerated(tolerations, taint)) return &taint;
  }
  return nullptr;
}

bool TaintsTolerated(const FilterContext& context, const ClusterInfo& cluster) {
  return cluster.taints.empty() || context.request.all_clusters ||
         Untolerated(context, cluster) == nullptr || context.previous.Contains(cluster.name);
}

std::string WhyTaint(const FilterContext& context, const ClusterInfo& cluster) {
  const v1::Taint* taint = Untolerated(context, cluster);
  return StrCat("untolerated taint {", taint == nullptr ? "" : Describe(*taint), "}");
}

}  // namespace

const FilterPlugin kTaintTolerationFilter = {"TaintToleration", &TaintsTolerated, &WhyTaint};

}  // namespace sealane::scheduler
