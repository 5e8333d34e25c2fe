#include "tests/conformance/ops_schedule.h"

#include <vector>

#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/cluster_json.h"
#include "lib/model/cluster_match.h"
#include "lib/model/field_errors.h"
#include "lib/model/placement_json.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/schedule.h"

namespace sealane::conformance {
namespace {

using scheduler::Outcome;

absl::StatusOr<v1::ClusterStatus> ReadCluster(const Json& json) {
  std::vector<v1::FieldError> errors;
  v1::ClusterStatus cluster = ClusterFromJson(json, &errors);
  if (!errors.empty()) return InvalidArgument(Describe(errors));
  return cluster;
}

Json Member(const Json& json, const char* name) {
  return json.is_object() && json.contains(name) ? json[name] : Json();
}

int64_t Micros(const Json& time) {
  if (!time.is_string()) return 0;
  const auto parsed = ParseKubeTime(time.get<std::string>());
  return parsed.ok() ? ToMicros(*parsed) : 0;
}

// A ResourceBinding's spec as the binding of the scheduler, with the placement in force.
absl::StatusOr<v1::Binding> ReadBinding(const Json& spec, v1::Placed* placed) {
  v1::Binding binding;
  const Json resource = Member(spec, "resource");
  binding.mutable_ref()->set_api_version(resource.value("apiVersion", ""));
  binding.mutable_ref()->set_kind(resource.value("kind", ""));
  binding.mutable_ref()->set_namespace_(resource.value("namespace", ""));
  binding.mutable_ref()->set_name(resource.value("name", ""));
  binding.set_uid(resource.value("uid", ""));
  binding.set_replicas(spec.value("replicas", 0));
  SEALANE_ASSIGN_OR_RETURN(*binding.mutable_placement(),
                           PlacementFromJson(Member(spec, "placement")));
  if (const Json requirements = Member(spec, "replicaRequirements"); !requirements.is_null()) {
    SEALANE_ASSIGN_OR_RETURN(*binding.mutable_replica_requirements(),
                             RequirementsFromJson(requirements));
  }
  for (const Json& task : Member(spec, "gracefulEvictionTasks")) {
    SEALANE_RETURN_IF_ERROR(MessageFromJson(task, binding.add_graceful_eviction_tasks()));
  }
  for (const Json& component : Member(spec, "components")) {
    SEALANE_RETURN_IF_ERROR(MessageFromJson(component, binding.add_components()));
  }
  for (const Json& target : Member(spec, "clusters")) {
    SEALANE_RETURN_IF_ERROR(MessageFromJson(target, placed->add_clusters()));
  }
  return binding;
}

}  // namespace

absl::StatusOr<Json> RunClusterMatch(const Json& in) {
  SEALANE_ASSIGN_OR_RETURN(const v1::ClusterStatus cluster, ReadCluster(Member(in, "cluster")));
  v1::ClusterAffinity affinity;
  SEALANE_RETURN_IF_ERROR(MessageFromJson(Member(in, "affinity"), &affinity));
  return Json{{"matches", ClusterMatches(affinity, cluster)}};
}

absl::StatusOr<Json> RunSchedule(const Json& in) {
  scheduler::Snapshot snapshot;
  for (const Json& item : Member(in, "clusters")) {
    SEALANE_ASSIGN_OR_RETURN(const v1::ClusterStatus cluster, ReadCluster(item));
    snapshot.Set(cluster);
  }
  const Json spec = Member(Member(in, "binding"), "spec");
  const Json status = Member(Member(in, "binding"), "status");
  v1::Placed placed;
  SEALANE_ASSIGN_OR_RETURN(const v1::Binding binding, ReadBinding(spec, &placed));
  const int64_t triggered = Micros(Member(spec, "rescheduleTriggeredAt"));
  const int64_t last = Micros(Member(status, "lastScheduledTime"));

  const scheduler::Request request(binding);
  const scheduler::Previous previous(placed.clusters());
  scheduler::ScheduleInput input{request, snapshot, previous};
  input.fresh = triggered != 0 && last != 0 && triggered > last;
  const scheduler::ScheduleResult result = scheduler::Schedule(input);
  if (result.outcome != Outcome::kScheduled) {
    return FailedPrecondition(StrCat(Name(result.outcome), ": ", result.message));
  }
  Json out = {{"clusters", Json::object()}};
  for (const scheduler::Target& target : result.targets) {
    out["clusters"][target.cluster] = target.replicas;
  }
  if (binding.placement().cluster_affinities_size() > 0) {
    out["affinityName"] = request.terms[result.term].name;
  }
  return out;
}

}  // namespace sealane::conformance
