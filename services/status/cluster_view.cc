#include "services/status/cluster_view.h"

#include <google/protobuf/util/message_differencer.h>

#include <utility>
#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/model/cluster_json.h"
#include "lib/model/same_message.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/status/conditions.h"
#include "services/status/grades.h"

namespace sealane::status {
namespace {

using google::protobuf::util::MessageDifferencer;

// What the agent says about its cluster.
void TakeHeartbeat(const v1::Heartbeat& heartbeat, v1::ClusterStatus& row) {
  row.set_kubernetes_version(heartbeat.kubernetes_version());
  // An agent that cannot discover anything for a moment does not make the APIs go away.
  if (heartbeat.api_enablements_complete() || heartbeat.api_enablements_size() > 0) {
    *row.mutable_api_enablements() = heartbeat.api_enablements();
  }
  if (heartbeat.has_node_summary()) *row.mutable_node_summary() = heartbeat.node_summary();
  if (heartbeat.has_resource_summary()) {
    *row.mutable_resource_summary() = heartbeat.resource_summary();
    CountGrades(heartbeat, row);
  }
  if (!heartbeat.cluster_id().empty()) row.set_cluster_id(heartbeat.cluster_id());
  row.set_agent_incarnation(heartbeat.incarnation());
  row.set_agent_version(heartbeat.agent_version());
  row.set_agent_bus_user(heartbeat.bus_user());
}

// What was known before and is still the best we know.
void KeepPrevious(const v1::ClusterStatus& previous, v1::ClusterStatus& row) {
  *row.mutable_conditions() = previous.conditions();
  row.set_kubernetes_version(previous.kubernetes_version());
  *row.mutable_api_enablements() = previous.api_enablements();
  if (previous.has_node_summary()) *row.mutable_node_summary() = previous.node_summary();
  if (previous.has_resource_summary()) {
    *row.mutable_resource_summary() = previous.resource_summary();
    // Counts by other grades say nothing.
    if (!SameResourceModels(previous, row)) {
      row.mutable_resource_summary()->clear_allocatable_modelings();
    }
  }
  if (!previous.cluster_id().empty()) row.set_cluster_id(previous.cluster_id());
  row.set_agent_incarnation(previous.agent_incarnation());
  row.set_agent_version(previous.agent_version());
  row.set_agent_bus_user(previous.agent_bus_user());
  row.set_last_heartbeat_micros(previous.last_heartbeat_micros());
}

}  // namespace

absl::StatusOr<v1::ClusterStatus> RegisteredCluster(const v1::StoredObject& object) {
  const Json manifest = Json::parse(object.manifest(), nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return InvalidArgument("the manifest is not a JSON object");
  std::vector<v1::FieldError> errors;
  v1::ClusterStatus row = ClusterFromJson(manifest, &errors);
  row.set_name(object.ref().name());
  row.set_uid(object.uid());
  row.set_generation(object.generation());
  row.set_deleting(object.deleting());
  return row;
}

v1::ClusterStatus BuildClusterStatus(const FailoverOptions& options, const ClusterInput& input) {
  v1::ClusterStatus row = input.registered;
  if (input.default_models && row.resource_models().empty()) AddDefaultResourceModels(row);
  // A Cluster object that was deleted and registered again is another cluster.
  const v1::ClusterStatus* previous =
      input.previous != nullptr && input.previous->uid() == input.registered.uid() ? input.previous
                                                                                   : nullptr;
  if (previous != nullptr) KeepPrevious(*previous, row);
  if (input.heartbeat != nullptr) {
    TakeHeartbeat(*input.heartbeat, row);
    row.set_last_heartbeat_micros(input.heard_micros);
    SetApiEnablements(row, *input.heartbeat, input.now_micros);
  }
  SetReady(row, input.readiness, row.last_heartbeat_micros() != 0,
           input.heartbeat != nullptr ? input.heartbeat->api_message() : std::string(),
           input.now_micros);
  if (FindCondition(row, kSettledCondition) == nullptr && input.readiness == Readiness::kTrue) {
    SetCondition(row, kSettledCondition, "False", "Joining",
                 "what is placed in the new cluster is not healthy yet", input.now_micros);
  } else if (!input.settled.empty()) {
    SetCondition(row, kSettledCondition, "True", "Joined", input.settled, input.now_micros);
  }
  if (input.storm && input.readiness != Readiness::kTrue && row.last_heartbeat_micros() != 0) {
    SetCondition(row, kFailoverPausedCondition, "True", "TooManyClustersNotReady",
                 "so many clusters are not ready that the fault is likely on this side: nothing is "
                 "moved away",
                 input.now_micros);
  } else if (FindCondition(row, kFailoverPausedCondition) != nullptr) {
    SetCondition(row, kFailoverPausedCondition, "False", "Resumed", "failover is not paused",
                 input.now_micros);
  }
  const std::vector<v1::Taint> taints = ComputeTaints(options, {.registered = input.registered,
                                                                .previous = previous,
                                                                .conditions = row,
                                                                .readiness = input.readiness,
                                                                .storm = input.storm,
                                                                .well_micros = input.well_micros,
                                                                .policies = input.policies,
                                                                .now_micros = input.now_micros});
  row.clear_taints();
  for (const v1::Taint& taint : taints) *row.add_taints() = taint;
  return row;
}

ClusterChange CompareClusters(const v1::ClusterStatus& before, const v1::ClusterStatus& after) {
  const auto* type = v1::ClusterStatus::descriptor();
  MessageDifferencer major;
  major.IgnoreField(type->FindFieldByName("last_heartbeat_micros"));
  major.IgnoreField(type->FindFieldByName("resource_summary"));
  major.IgnoreField(type->FindFieldByName("node_summary"));
  if (!major.Compare(before, after)) return ClusterChange::kMajor;
  if (before.has_node_summary() != after.has_node_summary() ||
      before.has_resource_summary() != after.has_resource_summary()) {
    return ClusterChange::kMajor;
  }
  if (!SameMessage(before.node_summary(), after.node_summary()) ||
      !SameMessage(before.resource_summary(), after.resource_summary())) {
    return ClusterChange::kMinor;
  }
  return ClusterChange::kNone;
}

}  // namespace sealane::status
