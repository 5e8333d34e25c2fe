#include "tests/conformance/ops_status.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/kube/aggregate_status.h"
#include "lib/kube/health.h"
#include "lib/kube/reflect_status.h"

namespace sealane::conformance {

absl::StatusOr<Json> RunHealth(const Json& in) {
  const kube::HealthVerdict verdict = kube::InterpretHealth(in.at("object"));
  return Json{{"healthy", verdict.health == kube::Health::kHealthy}};
}

absl::StatusOr<Json> RunReflectStatus(const Json& in) {
  SEALANE_ASSIGN_OR_RETURN(Json status, kube::ReflectStatus(in.at("object")));
  return Json{{"status", std::move(status)}};
}

absl::StatusOr<Json> RunAggregateStatus(const Json& in) {
  std::vector<kube::AggregateItem> items;
  if (const auto list = in.find("items"); list != in.end() && list->is_array()) {
    for (const Json& entry : *list) {
      const auto status = entry.find("status");
      items.push_back(
          {entry.at("clusterName").get<std::string>(), status == entry.end() ? nullptr : &*status});
    }
  }
  const Json& object = in.at("object");
  SEALANE_ASSIGN_OR_RETURN(Json status, kube::AggregateStatus(object, items, absl::UnixEpoch()));
  // The recorded cases carry no times inside the conditions of jobs.
  if (object.value("kind", "") == "Job" && status.is_object() && status.contains("conditions")) {
    for (Json& condition : status["conditions"]) {
      condition.erase("lastProbeTime");
      condition.erase("lastTransitionTime");
    }
  }
  return Json{{"status", std::move(status)}};
}

}  // namespace sealane::conformance
