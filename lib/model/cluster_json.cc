#include "lib/model/cluster_json.h"

#include <map>
#include <string>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/json_reader.h"
#include "lib/model/quantity.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"

namespace sealane {
namespace {

using StringProtoMap = google::protobuf::Map<std::string, std::string>;

void ReadStrings(const JsonReader& reader, StringProtoMap* out) {
  reader.EachEntry(
      [out](const std::string& key, const JsonReader& item) { (*out)[key] = item.String(); });
}

std::string ReadQuantity(const JsonReader& reader) {
  std::string text = reader.QuantityText();
  if (text.empty()) return text;
  if (const auto quantity = Quantity::Parse(text); !quantity.ok()) {
    reader.Error("Invalid", ToStd(quantity.status().message()));
    return "";
  }
  return text;
}

void ReadQuantities(const JsonReader& reader, StringProtoMap* out) {
  reader.EachEntry([out](const std::string& key, const JsonReader& item) {
    if (std::string text = ReadQuantity(item); !text.empty()) (*out)[key] = std::move(text);
  });
}

void ReadSpec(const JsonReader& spec, v1::ClusterStatus* out) {
  out->set_cluster_id(spec.Field("id").String());
  out->set_provider(spec.Field("provider").String());
  out->set_region(spec.Field("region").String());
  spec.Field("zones").Each([out](const JsonReader& zone) { out->add_zones(zone.String()); });
  spec.Field("taints").Each([out](const JsonReader& item) {
    v1::Taint* taint = out->add_taints();
    taint->set_key(item.Field("key").String());
    taint->set_value(item.Field("value").String());
    taint->set_effect(item.Field("effect").String());
    taint->set_time_added_micros(item.Field("timeAdded").TimeMicros());
  });
  spec.Field("resourceModels").Each([out](const JsonReader& item) {
    v1::ResourceModel* model = out->add_resource_models();
    model->set_grade(static_cast<uint32_t>(item.Field("grade").Int()));
    item.Field("ranges").Each([model](const JsonReader& entry) {
      v1::ResourceRange* range = model->add_ranges();
      range->set_name(entry.Field("name").String());
      range->set_min(ReadQuantity(entry.Field("min")));
      range->set_max(ReadQuantity(entry.Field("max")));
    });
  });
}

void ReadSummary(const JsonReader& summary, v1::ResourceSummary* out) {
  ReadQuantities(summary.Field("allocatable"), out->mutable_allocatable());
  ReadQuantities(summary.Field("allocating"), out->mutable_allocating());
  ReadQuantities(summary.Field("allocated"), out->mutable_allocated());
  summary.Field("allocatableModelings").Each([out](const JsonReader& item) {
    v1::AllocatableModeling* modeling = out->add_allocatable_modelings();
    modeling->set_grade(static_cast<uint32_t>(item.Field("grade").Int()));
    modeling->set_count(static_cast<int32_t>(item.Field("count").Int()));
  });
}

void ReadStatus(const JsonReader& status, v1::ClusterStatus* out) {
  out->set_kubernetes_version(status.Field("kubernetesVersion").String());
  status.Field("apiEnablements").Each([out](const JsonReader& item) {
    v1::ApiEnablement* enablement = out->add_api_enablements();
    enablement->set_group_version(item.Field("groupVersion").String());
    item.Field("resources").Each([enablement](const JsonReader& entry) {
      v1::ApiResource* resource = enablement->add_resources();
      resource->set_kind(entry.Field("kind").String());
      resource->set_name(entry.Field("name").String());
    });
  });
  status.Field("conditions").Each([out](const JsonReader& item) {
    v1::Condition* condition = out->add_conditions();
    condition->set_type(item.Field("type").String());
    condition->set_status(item.Field("status").String());
    condition->set_reason(item.Field("reason").String());
    condition->set_message(item.Field("message").String());
    condition->set_last_transition_micros(item.Field("lastTransitionTime").TimeMicros());
  });
  if (status.Has("nodeSummary")) {
    const JsonReader nodes = status.Field("nodeSummary");
    v1::NodeSummary* summary = out->mutable_node_summary();
    summary->set_total_num(static_cast<int32_t>(nodes.Field("totalNum").Int()));
    summary->set_ready_num(static_cast<int32_t>(nodes.Field("readyNum").Int()));
  }
  if (status.Has("resourceSummary")) {
    ReadSummary(status.Field("resourceSummary"), out->mutable_resource_summary());
  }
}

// Leaves out what is empty, as Go's omitempty does.
void SetText(Json& json, const char* name, const std::string& text) {
  if (!text.empty()) json[name] = text;
}

void SetTime(Json& json, const char* name, int64_t micros) {
  if (micros != 0) json[name] = FormatKubeTime(FromMicros(micros));
}

Json StringsToJson(const StringProtoMap& map) {
  Json json = Json::object();
  for (const auto& entry : map) json[entry.first] = entry.second;
  return json;
}

void SetStrings(Json& json, const char* name, const StringProtoMap& map) {
  if (!map.empty()) json[name] = StringsToJson(map);
}

Json SpecToJson(const v1::ClusterStatus& cluster) {
  Json spec = {{"syncMode", "Pull"}};
  SetText(spec, "id", cluster.cluster_id());
  SetText(spec, "provider", cluster.provider());
  SetText(spec, "region", cluster.region());
  for (const std::string& zone : cluster.zones()) spec["zones"].push_back(zone);
  for (const v1::Taint& taint : cluster.taints()) {
    Json item = {{"key", taint.key()}, {"effect", taint.effect()}};
    SetText(item, "value", taint.value());
    SetTime(item, "timeAdded", taint.time_added_micros());
    spec["taints"].push_back(std::move(item));
  }
  for (const v1::ResourceModel& model : cluster.resource_models()) {
    Json ranges = Json::array();
    for (const v1::ResourceRange& range : model.ranges()) {
      ranges.push_back({{"name", range.name()}, {"min", range.min()}, {"max", range.max()}});
    }
    spec["resourceModels"].push_back({{"grade", model.grade()}, {"ranges", std::move(ranges)}});
  }
  return spec;
}

Json StatusToJson(const v1::ClusterStatus& cluster) {
  Json status = Json::object();
  SetText(status, "kubernetesVersion", cluster.kubernetes_version());
  for (const v1::ApiEnablement& enablement : cluster.api_enablements()) {
    Json resources = Json::array();
    for (const v1::ApiResource& resource : enablement.resources()) {
      resources.push_back({{"kind", resource.kind()}, {"name", resource.name()}});
    }
    status["apiEnablements"].push_back(
        {{"groupVersion", enablement.group_version()}, {"resources", std::move(resources)}});
  }
  for (const v1::Condition& condition : cluster.conditions()) {
    Json item = {{"type", condition.type()},
                 {"status", condition.status()},
                 {"reason", condition.reason()},
                 {"message", condition.message()}};
    SetTime(item, "lastTransitionTime", condition.last_transition_micros());
    status["conditions"].push_back(std::move(item));
  }
  if (cluster.has_node_summary()) {
    status["nodeSummary"] = {{"totalNum", cluster.node_summary().total_num()},
                             {"readyNum", cluster.node_summary().ready_num()}};
  }
  if (cluster.has_resource_summary()) {
    const v1::ResourceSummary& from = cluster.resource_summary();
    Json summary = Json::object();
    SetStrings(summary, "allocatable", from.allocatable());
    SetStrings(summary, "allocating", from.allocating());
    SetStrings(summary, "allocated", from.allocated());
    for (const v1::AllocatableModeling& modeling : from.allocatable_modelings()) {
      summary["allocatableModelings"].push_back(
          {{"grade", modeling.grade()}, {"count", modeling.count()}});
    }
    status["resourceSummary"] = std::move(summary);
  }
  return status;
}

}  // namespace

v1::ClusterStatus ClusterFromJson(const Json& cluster, std::vector<v1::FieldError>* errors) {
  v1::ClusterStatus out;
  const JsonReader root(cluster, "", errors);
  const JsonReader metadata = root.Field("metadata");
  out.set_name(metadata.Field("name").String());
  out.set_uid(metadata.Field("uid").String());
  out.set_generation(metadata.Field("generation").Int());
  ReadStrings(metadata.Field("labels"), out.mutable_labels());
  ReadStrings(metadata.Field("annotations"), out.mutable_annotations());
  out.set_deleting(metadata.Has("deletionTimestamp"));
  ReadSpec(root.Field("spec"), &out);
  ReadStatus(root.Field("status"), &out);
  return out;
}

Json ClusterToJson(const v1::ClusterStatus& cluster) {
  Json metadata = {{"name", cluster.name()}};
  SetText(metadata, "uid", cluster.uid());
  if (cluster.generation() != 0) metadata["generation"] = cluster.generation();
  SetStrings(metadata, "labels", cluster.labels());
  SetStrings(metadata, "annotations", cluster.annotations());
  return {{"apiVersion", "cluster.karmada.io/v1alpha1"},
          {"kind", "Cluster"},
          {"metadata", std::move(metadata)},
          {"spec", SpecToJson(cluster)},
          {"status", StatusToJson(cluster)}};
}

}  // namespace sealane
