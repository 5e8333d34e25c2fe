// The cluster must serve the object's kind. Sticky: a cluster in use passes, so that a lost API
// does not take running work away.

#include "lib/core/strings.h"
#include "services/scheduler/filter.h"

namespace sealane::scheduler {
namespace {

bool Serves(const FilterContext& context, const ClusterInfo& cluster) {
  if (context.last_apis != cluster.apis.get()) {
    context.last_apis = cluster.apis.get();
    context.last_apis_serve = cluster.apis->contains(context.request.api_key);
  }
  return context.last_apis_serve || context.in_use;
}

std::string WhyNotServed(const FilterContext& context, const ClusterInfo& /*cluster*/) {
  const v1::ObjectRef& ref = context.request.binding->ref();
  return StrCat("the cluster does not serve ", ref.api_version(), " ", ref.kind());
}

}  // namespace

const FilterPlugin kApiEnablementFilter = {"APIEnablement", &Serves, &WhyNotServed,
                                           &ChoosesClusters};

}  // namespace sealane::scheduler
