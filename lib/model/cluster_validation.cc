// Defaulting and validation of Cluster manifests, as Karmada's API server does them.

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/cluster_json.h"
#include "lib/model/field_errors.h"
#include "lib/model/json_reader.h"
#include "lib/model/label_syntax.h"
#include "lib/model/quantity.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"

namespace sealane {
namespace {

using Errors = std::vector<v1::FieldError>;

constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();

void DefaultTaints(Json& spec, int64_t now_micros) {
  auto taints = spec.find("taints");
  if (taints == spec.end() || !taints->is_array()) return;
  for (Json& taint : *taints) {
    if (!taint.is_object() || taint.value("effect", Json()) != "NoExecute") continue;
    if (taint.contains("timeAdded") && !taint["timeAdded"].is_null()) continue;
    taint["timeAdded"] = FormatKubeTime(FromMicros(now_micros));
  }
}

void DefaultZones(Json& spec) {
  auto zone = spec.find("zone");
  if (zone == spec.end() || !zone->is_string() || zone->get_ref<const std::string&>().empty())
    return;
  auto zones = spec.find("zones");
  if (zones != spec.end() && !zones->empty()) return;
  spec["zones"] = Json::array({*zone});
  spec.erase("zone");
}

void DefaultModels(Json& spec) {
  auto models = spec.find("resourceModels");
  if (models == spec.end() || !models->is_array() || models->empty()) return;
  for (const Json& model : *models) {
    if (!model.is_object() || !model.contains("grade") || !model["grade"].is_number_integer() ||
        !model.contains("ranges") || !model["ranges"].is_array()) {
      return;  // refused by the validation
    }
    for (const Json& range : model["ranges"]) {
      if (!range.is_object()) return;
    }
  }
  std::stable_sort(models->begin(), models->end(), [](const Json& a, const Json& b) {
    return a["grade"].get<int64_t>() < b["grade"].get<int64_t>();
  });
  for (Json& range : models->front()["ranges"]) range["min"] = "0";
  for (Json& range : models->back()["ranges"]) range["max"] = std::to_string(kMaxInt64);
}

void CheckLabelText(const std::string& field, const std::string& value, Errors* errors) {
  if (std::string why = CheckLabelValue(value); !why.empty()) {
    AddFieldError(errors, field, "Invalid", StrCat("\"", value, "\": ", why));
  }
}

void CheckMetadata(const JsonReader& metadata, Errors* errors) {
  const std::string name = metadata.Field("name").String();
  if (std::string why = CheckClusterName(name); !why.empty()) {
    AddFieldError(errors, "metadata.name", name.empty() ? "Required" : "Invalid", why);
  }
  if (!metadata.Field("namespace").String().empty()) {
    AddFieldError(errors, "metadata.namespace", "Forbidden", "a Cluster has no namespace");
  }
  metadata.Field("labels").EachEntry([errors](const std::string& key, const JsonReader& item) {
    if (std::string why = CheckLabelKey(key); !why.empty()) {
      AddFieldError(errors, "metadata.labels", "Invalid", StrCat("\"", key, "\": ", why));
    }
    CheckLabelText("metadata.labels", item.String(), errors);
  });
}

void CheckTaints(const JsonReader& taints, Errors* errors) {
  std::set<std::pair<std::string, std::string>> known;
  taints.Each([&known, errors](const JsonReader& taint) {
    const std::string key = taint.Field("key").String();
    const std::string effect = taint.Field("effect").String();
    if (std::string why = CheckLabelKey(key); !why.empty()) {
      AddFieldError(errors, taint.path() + ".key", "Invalid", StrCat("\"", key, "\": ", why));
    }
    CheckLabelText(taint.path() + ".value", taint.Field("value").String(), errors);
    if (effect.empty()) {
      AddFieldError(errors, taint.path() + ".effect", "Required", "NoSchedule or NoExecute");
    } else if (effect != "NoSchedule" && effect != "NoExecute") {
      AddFieldError(errors, taint.path() + ".effect", "NotSupported",
                    StrCat("\"", effect, "\": supported values: \"NoExecute\", \"NoSchedule\""));
    }
    if (!known.emplace(key, effect).second) {
      AddFieldError(errors, taint.path(), "Duplicate",
                    "taints must be unique by key and effect pair");
    }
  });
}

// The first rule that the models break, or "".
std::string CheckModels(const v1::ClusterStatus& cluster) {
  const int count = cluster.resource_models_size();
  for (int i = 0; i < count; ++i) {
    const v1::ResourceModel& model = cluster.resource_models(i);
    const v1::ResourceModel* previous = i > 0 ? &cluster.resource_models(i - 1) : nullptr;
    if (previous != nullptr && previous->grade() == model.grade()) {
      return "the grade of each models should not be the same";
    }
    if (previous != nullptr && previous->ranges_size() != model.ranges_size()) {
      return "the number of resource types should be the same";
    }
    for (int j = 0; j < model.ranges_size(); ++j) {
      const v1::ResourceRange& range = model.ranges(j);
      const auto min = Quantity::Parse(range.min());
      const auto max = Quantity::Parse(range.max());
      if (!min.ok() || !max.ok()) return "min and max must be quantities";
      if (*max <= *min) return "the max value of each resource must be greater than the min value";
      if (previous == nullptr) {
        if (!min->IsZero()) {
          return "the min value of each resource in the first model should be 0";
        }
      } else if (previous->ranges(j).name() != range.name()) {
        return "the resource types of each models should be the same";
      } else if (!SameQuantity(previous->ranges(j).max(), range.min())) {
        return "model intervals for resources must be contiguous and non-overlapping";
      }
      if (i == count - 1 && max->Value() != kMaxInt64) {
        return "the max value of each resource in the last model should be MaxInt64";
      }
    }
  }
  return "";
}

void CheckSpec(const JsonReader& spec, const v1::ClusterStatus& cluster, Errors* errors) {
  const std::string mode = spec.Field("syncMode").String();
  if (mode.empty()) AddFieldError(errors, "spec.syncMode", "Required", "Pull");
  if (mode != "Pull" && mode != "Push") {
    AddFieldError(errors, "spec.syncMode", "NotSupported",
                  StrCat("\"", mode, "\": supported values: \"Pull\", \"Push\""));
  }
  for (const char* reference : {"secretRef", "impersonatorSecretRef"}) {
    if (!spec.Has(reference)) continue;
    for (const char* part : {"namespace", "name"}) {
      const JsonReader field = spec.Field(reference).Field(part);
      if (field.String().empty()) AddFieldError(errors, field.path(), "Required", "must be set");
    }
  }
  CheckLabelText("spec.provider", cluster.provider(), errors);
  CheckLabelText("spec.region", cluster.region(), errors);
  const std::string zone = spec.Field("zone").String();
  if (!zone.empty() && cluster.zones_size() > 0) {
    AddFieldError(errors, "spec.zone", "Invalid", "zone and zones cannot co-exist");
  }
  CheckLabelText("spec.zone", zone, errors);
  for (int i = 0; i < cluster.zones_size(); ++i) {
    CheckLabelText(StrCat("spec.zones[", i, "]"), cluster.zones(i), errors);
  }
  CheckTaints(spec.Field("taints"), errors);
  if (std::string why = CheckModels(cluster); !why.empty()) {
    AddFieldError(errors, "spec.resourceModels", "Invalid", why);
  }
}

}  // namespace

void DefaultClusterManifest(Json& cluster, int64_t now_micros) {
  if (!cluster.is_object()) return;
  Json& spec = cluster["spec"];
  if (spec.is_null()) spec = Json::object();
  if (!spec.is_object()) return;
  if (!spec.contains("syncMode") || spec["syncMode"].is_null()) spec["syncMode"] = "Pull";
  if (now_micros != 0) DefaultTaints(spec, now_micros);
  DefaultZones(spec);
  DefaultModels(spec);
}

std::vector<v1::FieldError> ValidateCluster(const Json& cluster) {
  Errors errors;
  const v1::ClusterStatus parsed = ClusterFromJson(cluster, &errors);
  const JsonReader root(cluster, "", &errors);
  CheckMetadata(root.Field("metadata"), &errors);
  CheckSpec(root.Field("spec"), parsed, &errors);
  return errors;
}

}  // namespace sealane
