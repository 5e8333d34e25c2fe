#include "lib/model/rebalancer.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/field_errors.h"
#include "lib/model/json_reader.h"
#include "lib/model/placement_json.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"
#include "sealane/v1/tables.pb.h"

namespace sealane {

std::string Rebalancer::Workload::Key() const { return RowKey(ObjectKey{group, kind, ns, name}); }

bool Rebalancer::Workload::Selects(const ObjectKey& key, const LabelsView& labels) const {
  return name.empty() && group == key.group && kind == key.kind && (ns.empty() || ns == key.ns) &&
         selector.Matches(labels);
}

std::string Rebalancer::Workload::Describe() const {
  if (!name.empty()) return sealane::Describe(ObjectKey{group, kind, ns, name});
  return StrCat(kind, ns.empty() ? "" : " ", ns, " by labels");
}

namespace {

std::vector<Rebalancer::Workload> ReadWorkloads(const Json& manifest,
                                                std::vector<v1::FieldError>* errors) {
  const JsonReader root(manifest, "", errors);
  std::vector<Rebalancer::Workload> workloads;
  root.Field("spec").Field("workloads").Each([&](const JsonReader& item) {
    Rebalancer::Workload& workload = workloads.emplace_back();
    workload.api_version = item.Field("apiVersion").String();
    workload.group = std::string(GroupOf(workload.api_version));
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
  return workloads;
}

}  // namespace

bool IsRebalancer(std::string_view group, std::string_view kind) {
  return group == "apps.karmada.io" && kind == "WorkloadRebalancer";
}

std::vector<v1::FieldError> CheckRebalancer(const Json& manifest) {
  std::vector<v1::FieldError> errors;
  if (ReadWorkloads(manifest, &errors).empty() && errors.empty()) {
    AddFieldError(&errors, "spec.workloads", "Required", "names no object");
  }
  return errors;
}

absl::StatusOr<Rebalancer> ParseRebalancer(const v1::StoredObject& object) {
  const Json manifest = Json::parse(object.manifest(), nullptr, false);
  if (manifest.is_discarded()) return InvalidArgument("the manifest is not JSON");
  std::vector<v1::FieldError> errors;
  Rebalancer rebalancer;
  rebalancer.triggered_micros =
      object.updated_micros() != 0 ? object.updated_micros() : object.created_micros();
  rebalancer.workloads = ReadWorkloads(manifest, &errors);
  if (!errors.empty()) return InvalidArgument(Describe(errors));
  return rebalancer;
}

}  // namespace sealane
