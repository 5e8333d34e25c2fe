// The cluster must serve the object's kind. Sticky: a cluster in use passes, so that a lost API
// does not take running work away.

#include "lib/core/strings.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

bool Serves(const FilterContext& context, const ClusterInfo& cluster) {
  return context.request.all_clusters || cluster.apis->contains(context.request.api_key) ||
         context.previous.Contains(cluster.name);
}

std::string WhyNotServed(const FilterContext& context, const ClusterInfo& /*cluster*/) {
  const v1::ObjectRef& ref = context.request.binding->ref();
  return StrCat("the cluster does not serve ", ref.api_version(), " ", ref.kind());
}

}  // namespace

const FilterPlugin kApiEnablementFilter = {"APIEnablement", &Serves, &WhyNotServed};

}  // namespace sealane::scheduler
