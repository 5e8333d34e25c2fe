#include "services/status/page/fleet_json.h"

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/model/cluster_marks.h"
#include "lib/model/identity.h"
#include "lib/model/quantity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"
#include "services/status/conditions.h"

namespace sealane::status {
namespace {

constexpr int kListed = 50;  // conditions, taints, zones, labels of one cluster

using Resources = google::protobuf::Map<std::string, std::string>;

Quantity ResourceOf(const Resources& resources, const std::string& name) {
  const auto it = resources.find(name);
  if (it == resources.end()) return {};
  const auto quantity = Quantity::Parse(it->second);
  return quantity.ok() ? *quantity : Quantity();
}

// Absent, not 1970, where nothing happened.
void PutTime(Json& json, const char* name, int64_t micros) {
  if (micros > 0) json[name] = micros / 1000;
}

Json ReplicasJson(const v1::Replicas& replicas) {
  return {{"wanted", replicas.wanted()},
          {"updated", replicas.updated()},
          {"ready", replicas.ready()},
          {"available", replicas.available()}};
}

bool HasTaint(const v1::ClusterStatus& cluster, std::string_view key) {
  return std::any_of(cluster.taints().begin(), cluster.taints().end(),
                     [key](const v1::Taint& taint) { return taint.key() == key; });
}

bool IsWell(const v1::ClusterAppStatus& part) {
  return part.state() == "Applied" && part.health() == "Healthy";
}

Json PartJson(const v1::ClusterAppStatus& part) {
  Json json = {{"cluster", part.cluster()},
               {"state", part.state()},
               {"health", part.health()},
               {"well", IsWell(part)},
               {"replicas", ReplicasJson(part.replicas())},
               {"generation", part.applied_generation()},
               {"reason", MessageText(part.reason())},
               {"message", MessageText(part.message())}};
  PutTime(json, "lastWord", part.last_word_micros());
  PutTime(json, "unhealthySince", part.unhealthy_since_micros());
  return json;
}

}  // namespace

std::string MessageText(std::string_view message) { return Shortened(message, 1000); }

std::string Shortened(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U) --bytes;
  return StrCat(text.substr(0, bytes), "…");
}

std::string_view ClusterStateOf(const v1::ClusterStatus& cluster) {
  switch (ReadinessOf(cluster).value_or(Readiness::kUnknown)) {
    case Readiness::kTrue:
      return "Ready";
    case Readiness::kFalse:
      return "NotReady";
    case Readiness::kUnknown:
      return cluster.last_heartbeat_micros() != 0 ? "Lost" : "Unknown";
  }
  return "Unknown";
}

std::vector<std::string_view> ClusterMarksOf(const v1::ClusterStatus& cluster) {
  std::vector<std::string_view> marks;
  if (cluster.deleting()) marks.emplace_back("Leaving");
  if (HasTaint(cluster, kDrainTaint)) marks.emplace_back("Draining");
  if (HasTaint(cluster, kCordonTaint)) marks.emplace_back("Cordoned");
  const v1::Condition* settled = FindCondition(cluster, kSettledCondition);
  if (settled != nullptr && settled->status() == "False") marks.emplace_back("Joining");
  return marks;
}

Capacity& Capacity::operator+=(const Capacity& other) {
  cpu_used_milli += other.cpu_used_milli;
  cpu_milli += other.cpu_milli;
  memory_used_bytes += other.memory_used_bytes;
  memory_bytes += other.memory_bytes;
  pods_used += other.pods_used;
  pods += other.pods;
  nodes_ready += other.nodes_ready;
  nodes += other.nodes;
  return *this;
}

Capacity CapacityOf(const v1::ClusterStatus& cluster) {
  const v1::ResourceSummary& summary = cluster.resource_summary();
  Capacity capacity;
  capacity.cpu_used_milli = ResourceOf(summary.allocated(), "cpu").MilliValue();
  capacity.cpu_milli = ResourceOf(summary.allocatable(), "cpu").MilliValue();
  capacity.memory_used_bytes = ResourceOf(summary.allocated(), "memory").Value();
  capacity.memory_bytes = ResourceOf(summary.allocatable(), "memory").Value();
  capacity.pods_used = ResourceOf(summary.allocated(), "pods").Value();
  capacity.pods = ResourceOf(summary.allocatable(), "pods").Value();
  capacity.nodes_ready = cluster.node_summary().ready_num();
  capacity.nodes = cluster.node_summary().total_num();
  return capacity;
}

Json ToJson(const Capacity& capacity) {
  return {{"cpu", {{"used", capacity.cpu_used_milli}, {"of", capacity.cpu_milli}}},
          {"memory", {{"used", capacity.memory_used_bytes}, {"of", capacity.memory_bytes}}},
          {"pods", {{"used", capacity.pods_used}, {"of", capacity.pods}}},
          {"nodes", {{"ready", capacity.nodes_ready}, {"of", capacity.nodes}}}};
}

Json ClusterJson(const v1::ClusterStatus& cluster, const ClusterGauges::Works& works,
                 double age_seconds) {
  Json json = {{"name", cluster.name()},
               {"provider", cluster.provider()},
               {"region", cluster.region()},
               {"zones", Json::array()},
               {"state", std::string(ClusterStateOf(cluster))},
               {"marks", Json::array()},
               {"capacity", ToJson(CapacityOf(cluster))},
               {"kubernetes", cluster.kubernetes_version()},
               {"agent", cluster.agent_version()},
               {"conditions", Json::array()},
               {"taints", Json::array()},
               {"works",
                {{"applied", works.applied},
                 {"failed", works.failed},
                 {"removing", works.removing},
                 {"unhealthy", works.unhealthy},
                 {"replicasWanted", works.replicas_wanted},
                 {"replicasReady", works.replicas_ready}}}};
  for (const std::string_view mark : ClusterMarksOf(cluster)) {
    json["marks"].push_back(std::string(mark));
  }
  for (int i = 0; i < std::min(kListed, cluster.zones_size()); ++i) {
    json["zones"].push_back(cluster.zones(i));
  }
  for (int i = 0; i < std::min(kListed, cluster.conditions_size()); ++i) {
    const v1::Condition& condition = cluster.conditions(i);
    Json entry = {{"type", condition.type()},
                  {"status", condition.status()},
                  {"reason", condition.reason()},
                  {"message", MessageText(condition.message())}};
    PutTime(entry, "since", condition.last_transition_micros());
    json["conditions"].push_back(std::move(entry));
  }
  for (int i = 0; i < std::min(kListed, cluster.taints_size()); ++i) {
    const v1::Taint& taint = cluster.taints(i);
    json["taints"].push_back({{"key", taint.key()},
                              {"value", taint.value()},
                              {"effect", taint.effect()},
                              {"source", taint.source()}});
  }
  PutTime(json, "lastHeartbeat", cluster.last_heartbeat_micros());
  if (age_seconds >= 0) json["heartbeatAgeSeconds"] = age_seconds;
  return json;
}

Json RefJson(const v1::ObjectRef& ref) {
  return {{"group", std::string(GroupOf(ref.api_version()))},
          {"kind", ref.kind()},
          {"namespace", ref.namespace_()},
          {"name", ref.name()}};
}

Json AppJson(const v1::AppStatus& app, size_t clusters) {
  Json json = RefJson(app.ref());
  json["phase"] = app.phase();
  json["message"] = MessageText(app.message());
  json["policy"] = app.policy();
  json["generation"] = app.generation();
  json["observedGeneration"] = app.observed_generation();
  json["replicas"] = ReplicasJson(app.replicas());
  json["scheduleState"] = app.schedule_state();
  json["scheduleMessage"] = MessageText(app.schedule_message());
  json["deleting"] = app.deleting();
  json["renderErrors"] = Json::array();
  for (int i = 0; i < std::min(kListed, app.render_errors_size()); ++i) {
    json["renderErrors"].push_back(MessageText(app.render_errors(i)));
  }
  PutTime(json, "since", app.phase_since_micros());
  PutTime(json, "updated", app.updated_micros());
  std::vector<const v1::ClusterAppStatus*> parts;
  for (const v1::ClusterAppStatus& part : app.clusters()) parts.push_back(&part);
  json["clusterCount"] = parts.size();
  json["wellCount"] =
      std::count_if(parts.begin(), parts.end(), [](const auto* part) { return IsWell(*part); });
  if (parts.size() > clusters) {
    std::stable_partition(parts.begin(), parts.end(),
                          [](const auto* part) { return !IsWell(*part); });
    parts.resize(clusters);
  }
  json["clusters"] = Json::array();
  for (const v1::ClusterAppStatus* part : parts) json["clusters"].push_back(PartJson(*part));
  return json;
}

Json EventJson(const v1::Event& event) {
  Json json = {{"service", event.service()},
               {"type", event.type()},
               {"reason", event.reason()},
               {"message", MessageText(event.message())}};
  PutTime(json, "time", event.time_micros());
  if (event.has_ref()) json["object"] = RefJson(event.ref());
  if (!event.cluster().empty()) json["cluster"] = event.cluster();
  return json;
}

}  // namespace sealane::status
