// NoSchedule and NoExecute taints keep away what does not tolerate them. Sticky: a cluster in use
// passes; an expired NoExecute taint removes it from the placement in force before (reasons.h).

#include <algorithm>

#include "lib/core/strings.h"
#include "lib/model/toleration.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

bool IsTolerated(const FilterContext& context, const v1::Taint& taint) {
  const int64_t until = ToleratedUntilMicros(*context.request.binding, taint);
  return until != 0 && until > context.now_micros;
}

bool TaintsTolerated(const FilterContext& context, const ClusterInfo& cluster) {
  return context.in_use ||
         std::all_of(cluster.taints.begin(), cluster.taints.end(),
                     [&](const v1::Taint& taint) { return IsTolerated(context, taint); });
}

std::string WhyTaint(const FilterContext& context, const ClusterInfo& cluster) {
  std::vector<std::string> taints;
  for (const v1::Taint& taint : cluster.taints) {
    if (!IsTolerated(context, taint)) taints.push_back(StrCat("{", Describe(taint), "}"));
  }
  return StrCat(taints.size() > 1 ? "untolerated taints " : "untolerated taint ",
                StrJoin(taints, ", "));
}

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
                                             &ChoosesClusters};

}  // namespace sealane::scheduler
