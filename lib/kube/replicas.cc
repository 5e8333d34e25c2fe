#include "lib/kube/replicas.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/kube/kinds.h"
#include "lib/model/json_reader.h"
#include "lib/model/label_syntax.h"
#include "lib/model/placement_json.h"
#include "lib/model/quantity.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/placement.pb.h"

namespace sealane::kube {
namespace {

using Resources = std::map<std::string, Quantity>;

bool IsReplicated(const Json& object, std::string_view* field) {
  const std::string_view version = GetString(object, {"apiVersion"});
  const std::string_view kind = GetString(object, {"kind"});
  *field = "replicas";
  if (version == "apps/v1") {
    return kind == "Deployment" || kind == "ReplicaSet" || kind == "StatefulSet";
  }
  *field = "parallelism";
  return version == "batch/v1" && kind == "Job";
}

// Native resources count as such; of the others only extended ones ("vendor.example/gpu"), huge
// pages, attachable volumes and kubernetes.io/ resources.
bool IsCounted(std::string_view name) {
  if (name == "cpu" || name == "memory" || name == "pods" || name == "ephemeral-storage") {
    return true;
  }
  if (name.starts_with("hugepages-") || name.starts_with("attachable-volumes-") ||
      name.find("kubernetes.io/") != std::string_view::npos) {
    return true;
  }
  return name.find('/') != std::string_view::npos && !name.starts_with("requests.") &&
         CheckLabelKey(StrCat("requests.", name)).empty();
}

// Amounts are whole units (thousandths for cpu), rounded up, as Karmada counts them.
Quantity Rounded(const std::string& name, const Quantity& quantity) {
  if (name == "cpu") return Quantity::FromMilli(quantity.MilliValue());
  const bool bytes =
      name == "memory" || name == "ephemeral-storage" || name.starts_with("hugepages-");
  return Quantity::FromValue(quantity.Value(),
                             bytes ? Quantity::Format::kBinarySi : Quantity::Format::kDecimalSi);
}

void ReadResources(const JsonReader& list, Resources* resources) {
  list.EachEntry([&](const std::string& name, const JsonReader& item) {
    auto quantity = Quantity::Parse(item.QuantityText());
    if (!quantity.ok()) return item.Error("Invalid", ToStd(quantity.status().message()));
    resources->emplace(name, Rounded(name, *quantity));
  });
}

// Requests of a container; a limit without a request counts as one.
Resources RequestsOf(const JsonReader& container) {
  Resources resources;
  ReadResources(container.Field("resources").Field("requests"), &resources);
  ReadResources(container.Field("resources").Field("limits"), &resources);
  return resources;
}

void AddTo(Resources* total, const Resources& more) {
  for (const auto& [name, quantity] : more) {
    if (!IsCounted(name)) continue;
    const auto [it, added] = total->emplace(name, quantity);
    if (!added) it->second += quantity;
  }
}

void ReadRequirements(const JsonReader& spec, ReplicaCount* count, v1::ReplicaRequirements* out) {
  Resources total;
  spec.Field("containers").Each([&](const JsonReader& c) { AddTo(&total, RequestsOf(c)); });
  spec.Field("initContainers").Each([&](const JsonReader& c) {
    for (const auto& [name, quantity] : RequestsOf(c)) {
      if (!IsCounted(name)) continue;
      const auto [it, added] = total.emplace(name, quantity);
      if (!added && it->second < quantity) it->second = quantity;
    }
  });
  Resources overhead;
  ReadResources(spec.Field("overhead"), &overhead);
  AddTo(&total, overhead);
  for (const auto& [name, quantity] : total) {
    if (quantity > Quantity()) (*out->mutable_resource_request())[name] = quantity.ToString();
  }

  v1::ReplicaRequirements::NodeClaim claim;
  bool claimed = spec.Has("nodeSelector");
  spec.Field("nodeSelector").EachEntry([&](const std::string& key, const JsonReader& value) {
    (*claim.mutable_node_selector())[key] = value.String();
  });
  spec.Field("tolerations").Each([&](const JsonReader& item) {
    claimed = true;
    if (!MessageFromJson(item.value(), claim.add_tolerations()).ok()) {
      item.Error("TypeMismatch", "is not a toleration");
    }
  });
  const JsonReader required = spec.Field("affinity")
                                  .Field("nodeAffinity")
                                  .Field("requiredDuringSchedulingIgnoredDuringExecution");
  if (required.value().is_object()) {
    claimed = true;
    claim.set_hard_node_affinity_json(required.value().dump());
  }
  if (claimed) *out->mutable_node_claim() = std::move(claim);
  count->has_requirements = claimed || out->resource_request_size() > 0;
}

}  // namespace

absl::StatusOr<ReplicaCount> CountReplicas(const Json& object,
                                           v1::ReplicaRequirements* requirements) {
  ReplicaCount count;
  std::string_view field;
  const bool pod =
      GetString(object, {"apiVersion"}) == "v1" && GetString(object, {"kind"}) == "Pod";
  if (!pod && !IsReplicated(object, &field)) return count;
  count.workload = true;
  std::vector<v1::FieldError> errors;
  const JsonReader spec = JsonReader(object, "", &errors).Field("spec");
  const auto int32_field = [&](std::string_view name) {
    const int64_t value = spec.Field(name).Int();
    if (value < INT32_MIN || value > INT32_MAX) spec.Field(name).Error("Invalid", "out of range");
    return static_cast<int32_t>(value);
  };
  if (pod) {
    count.replicas = 1;
    ReadRequirements(spec, &count, requirements);
  } else {
    count.replicas = int32_field(field);
    if (field == "parallelism" && spec.Has("completions")) {
      count.replicas = std::min(count.replicas, int32_field("completions"));
    }
    ReadRequirements(spec.Field("template").Field("spec"), &count, requirements);
  }
  if (errors.empty()) return count;
  requirements->Clear();
  return InvalidArgument(StrCat(errors.front().field(), ": ", errors.front().message()));
}

}  // namespace sealane::kube
