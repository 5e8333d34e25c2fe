#include "services/status/rebalancer_status.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/rebalancer.h"
#include "services/status/app_status.h"

namespace sealane::status {
namespace {

constexpr size_t kObservedWorkloads = 1000;  // of one WorkloadRebalancer: told one by one

Json ReferenceTo(const std::string& api_version, const std::string& kind, const std::string& ns,
                 const std::string& name) {
  Json reference = {{"apiVersion", api_version}, {"kind", kind}};
  if (!ns.empty()) reference["namespace"] = ns;
  if (!name.empty()) reference["name"] = name;
  return reference;
}

struct Observed {
  Json workloads = Json::array();
  size_t asked = 0;
  size_t missing = 0;

  void Add(Json reference, bool found) {
    ++(found ? asked : missing);
    if (workloads.size() == kObservedWorkloads) return;
    Json observed = {{"workload", std::move(reference)},
                     {"result", found ? "Successful" : "Failed"}};
    if (!found) observed["reason"] = "ReferencedBindingNotFound";
    workloads.push_back(std::move(observed));
  }
};

Observed Observe(const RebalancerInput& in) {
  Observed observed;
  for (const Rebalancer::Workload& workload : in.object.rebalancer->workloads) {
    if (!workload.name.empty()) {
      observed.Add(ReferenceTo(workload.api_version, workload.kind, workload.ns, workload.name),
                   in.is_bound(workload.Key()));
      continue;
    }
    bool found = false;
    in.for_each_bound([&](const BoundObject& bound) {
      if (!workload.Selects(bound.key, LabelsView(bound.object.labels))) return;
      found = true;
      observed.Add(
          ReferenceTo(bound.object.api_version, bound.key.kind, bound.key.ns, bound.key.name),
          true);
    });
    if (!found) {
      observed.Add(ReferenceTo(workload.api_version, workload.kind, workload.ns, ""), false);
    }
  }
  return observed;
}

}  // namespace

v1::AppStatus ComputeRebalancerStatus(const RebalancerInput& in) {
  v1::AppStatus row = RowFor(in.key, in.object);
  row.set_observed_generation(in.object.generation);
  row.set_phase(std::string(in.object.deleting ? kDeleting : kHealthy));
  row.set_phase_since_micros(in.now_micros);
  row.set_updated_micros(in.now_micros);
  if (in.published != nullptr && in.published->uid_hash == UidHash(in.object.uid) &&
      in.published->generation == in.object.generation && !in.published->status_json.empty()) {
    row.set_status_json(in.published->status_json);
    if (in.published->phase == row.phase()) {
      row.set_phase_since_micros(in.published->phase_since_micros);
    }
    return row;
  }
  Observed observed = Observe(in);
  const Json status = {{"observedWorkloads", std::move(observed.workloads)},
                       {"observedGeneration", in.object.generation},
                       {"finishTime", FormatKubeTime(FromMicros(in.now_micros))}};
  row.set_status_json(status.dump());
  return row;
}

}  // namespace sealane::status
