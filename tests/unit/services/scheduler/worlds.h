#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/model/cluster_json.h"
#include "lib/model/placement_json.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/schedule.h"

namespace sealane::scheduler {

// A cluster that serves Deployments and ConfigMaps. `extra` is merged into the Cluster's JSON.
inline v1::ClusterStatus MakeCluster(const std::string& name, const char* extra = "{}") {
  Json json = Json::parse(R"({"status": {"apiEnablements": [
      {"groupVersion": "apps/v1", "resources": [{"kind": "Deployment", "name": "deployments"}]},
      {"groupVersion": "v1", "resources": [{"kind": "ConfigMap", "name": "configmaps"}]}]}})");
  json.merge_patch(Json::parse(extra));
  json["metadata"]["name"] = name;
  return ClusterFromJson(json, nullptr);
}

// A cluster with room for `pods` replicas of any size.
inline v1::ClusterStatus MakeRoomy(const std::string& name, int64_t pods,
                                   const std::string& region = "") {
  v1::ClusterStatus cluster = MakeCluster(name);
  (*cluster.mutable_resource_summary()->mutable_allocatable())["pods"] = std::to_string(pods);
  cluster.set_region(region);
  return cluster;
}

// A Deployment web in namespace ns, claimed by a policy with this placement (JSON).
inline v1::Binding MakeBinding(int replicas, const std::string& placement,
                               const std::string& name = "web") {
  v1::Binding binding;
  binding.mutable_ref()->set_api_version("apps/v1");
  binding.mutable_ref()->set_kind("Deployment");
  binding.mutable_ref()->set_namespace_("ns");
  binding.mutable_ref()->set_name(name);
  binding.set_uid("uid-" + name);
  binding.set_revision(1);
  binding.mutable_policy()->set_kind("PropagationPolicy");
  binding.set_replicas(replicas);
  if (replicas > 0) binding.mutable_replica_requirements();
  *binding.mutable_placement() = PlacementFromJson(Json::parse(placement)).value();
  return binding;
}

using TargetMap = std::map<std::string, int64_t>;

inline TargetMap ToMap(const std::vector<Target>& targets) {
  TargetMap map;
  for (const Target& target : targets) map[target.cluster] = target.replicas;
  return map;
}

inline TargetMap ToMap(const v1::Placed& placed) {
  TargetMap map;
  for (const v1::TargetCluster& target : placed.clusters()) map[target.name()] = target.replicas();
  return map;
}

inline v1::Placed PlacedIn(const TargetMap& targets) {
  v1::Placed placed;
  for (const auto& entry : targets) {
    v1::TargetCluster* target = placed.add_clusters();
    target->set_name(entry.first);
    target->set_replicas(static_cast<int32_t>(entry.second));
  }
  return placed;
}

inline Snapshot MakeSnapshot(const std::vector<v1::ClusterStatus>& clusters) {
  Snapshot snapshot;
  for (const v1::ClusterStatus& cluster : clusters) snapshot.Set(cluster);
  return snapshot;
}

inline ScheduleResult Decide(const v1::Binding& binding, const Snapshot& snapshot,
                             const TargetMap& before = {}, bool fresh = false,
                             bool steady = false) {
  const Request request(binding);
  const v1::Placed placed = PlacedIn(before);
  const Previous previous(placed.clusters());
  ScheduleInput input{request, snapshot, previous};
  input.fresh = fresh;
  input.steady = steady;
  return Schedule(input);
}

inline constexpr char kDynamic[] = R"({"replicaScheduling": {"replicaSchedulingType": "Divided",
    "replicaDivisionPreference": "Weighted",
    "weightPreference": {"dynamicWeight": "AvailableReplicas"}}})";
inline constexpr char kAggregatedPlacement[] = R"({"replicaScheduling": {
    "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}})";
inline constexpr char kEven[] = R"({"replicaScheduling": {"replicaSchedulingType": "Divided",
    "replicaDivisionPreference": "Weighted"}})";
inline constexpr char kDuplicatedPlacement[] =
    R"({"replicaScheduling": {"replicaSchedulingType": "Duplicated"}})";

}  // namespace sealane::scheduler
