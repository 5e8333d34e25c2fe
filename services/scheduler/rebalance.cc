#include "services/scheduler/rebalance.h"

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/field_errors.h"
#include "lib/model/json_reader.h"
#include "lib/model/placement_json.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"

namespace sealane::scheduler {

bool Rebalancer::Names(const v1::Binding& binding) const {
  const ObjectKey key = KeyOf(binding.ref());
  return std::any_of(workloads.begin(), workloads.end(), [&](const Workload& workload) {
    if (workload.group != key.group || workload.kind != key.kind) return false;
    if (!workload.name.empty()) return workload.name == key.name && workload.ns == key.ns;
    return (workload.ns.empty() || workload.ns == key.ns) &&
           workload.selector.Matches(LabelsView(binding.labels()));
  });
}

absl::StatusOr<Rebalancer> ParseRebalancer(const v1::StoredObject& object) {
  const Json manifest = Json::parse(object.manifest(), nullptr, false);
  if (manifest.is_discarded()) return InvalidArgument("the manifest is not JSON");
  std::vector<v1::FieldError> errors;
  const JsonReader root(manifest, "", &errors);
  Rebalancer rebalancer;
  rebalancer.triggered_micros =
      object.updated_micros() != 0 ? object.updated_micros() : object.created_micros();
  root.Field("spec").Field("workloads").Each([&](const JsonReader& item) {
    Rebalancer::Workload& workload = rebalancer.workloads.emplace_back();
    workload.group = std::string(GroupOf(item.Field("apiVersion").String()));
    workload.kind = item.Field("kind").String();
    workload.ns = item.Field("namespace").String();
    workload.name = item.Field("name").String();
    if (workload.kind.empty()) item.Field("kind").Error("Required", "must be set");
    if (!item.Has("labelSelector")) {
      if (workload.name.empty()) item.Field("name").Error("Required", "a name or a labelSelector");
      return;
    }
    v1::LabelSelector selector;
    absl::Status status = MessageFromJson(item.Field("labelSelector").value(), &selector);
    if (status.ok()) {
      auto compiled = Selector::Compile(selector);
      status = compiled.status();
      if (compiled.ok()) workload.selector = *std::move(compiled);
    }
    if (!status.ok()) item.Field("labelSelector").Error("Invalid", ToStd(status.message()));
  });
  if (!errors.empty()) return InvalidArgument(Describe(errors));
  return rebalancer;
}

absl::Status Rebalancers::Set(const std::string& key, const v1::StoredObject* object) {
  if (object == nullptr || object->deleting()) {
    rebalancers_.erase(key);
    return absl::OkStatus();
  }
  auto parsed = ParseRebalancer(*object);
  if (!parsed.ok()) {
    rebalancers_.erase(key);
    return parsed.status();
  }
  rebalancers_[key] = *std::move(parsed);
  return absl::OkStatus();
}

const Rebalancer* Rebalancers::Find(const std::string& key) const {
  const auto it = rebalancers_.find(key);
  return it == rebalancers_.end() ? nullptr : &it->second;
}

int64_t Rebalancers::TriggeredFor(const v1::Binding& binding) const {
  int64_t newest = binding.reschedule_triggered_micros();
  for (const auto& entry : rebalancers_) {
    if (entry.second.triggered_micros > newest && entry.second.Names(binding)) {
      newest = entry.second.triggered_micros;
    }
  }
  return newest;
}

}  // namespace sealane::scheduler
