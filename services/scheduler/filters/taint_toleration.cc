// NoSchedule and NoExecute taints keep away what does not tolerate them. Sticky: a cluster in use
// passes; an expired NoExecute taint removes it from the placement in force before (reasons.h).

#include <algorithm>

#include "lib/core/strings.h"
#include "lib/model/toleration.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

const v1::Taint* Untolerated(const FilterContext& context, const ClusterInfo& cluster) {
  for (const v1::Taint& taint : cluster.taints) {
    const int64_t until = ToleratedUntilMicros(*context.request.binding, taint);
    if (until == 0 || until <= context.now_micros) return &taint;
  }
  return nullptr;
}

bool TaintsTolerated(const FilterContext& context, const ClusterInfo& cluster) {
  return cluster.taints.empty() || context.in_use || Untolerated(context, cluster) == nullptr;
}

std::string WhyTaint(const FilterContext& context, const ClusterInfo& cluster) {
  const v1::Taint* taint = Untolerated(context, cluster);
  return StrCat("untolerated taint {", taint == nullptr ? "" : Describe(*taint), "}");
}

bool Matters(const FilterContext& context) { return !context.request.all_clusters; }

}  // namespace

int64_t ToleratedUntilMicros(const v1::Binding& binding, const v1::Taint& taint) {
  int64_t until = 0;
  bool tolerated = false;
  for (const v1::Toleration& toleration : binding.placement().cluster_tolerations()) {
    if (!Tolerates(toleration, taint)) continue;
    int64_t ends = kForever;
    if (taint.effect() == "NoExecute" && toleration.has_toleration_seconds() &&
        taint.time_added_micros() != 0) {
      ends = taint.time_added_micros() +
             std::max<int64_t>(0, toleration.toleration_seconds()) * 1'000'000;
    }
    until = tolerated ? std::min(until, ends) : ends;
    tolerated = true;
  }
  return until;
}

const FilterPlugin kTaintTolerationFilter = {"TaintToleration", &TaintsTolerated, &WhyTaint,
                                             &Matters};

}  // namespace sealane::scheduler
