#include "lib/kube/health.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/status_fields.h"

namespace sealane::kube {
namespace {

// The parts of an object that rules look at.
struct Subject {
  FieldReader metadata;
  FieldReader spec;
  FieldReader status;
};

HealthVerdict Healthy() { return {Health::kHealthy, ""}; }
HealthVerdict Unhealthy(std::string reason) { return {Health::kUnhealthy, std::move(reason)}; }

// The condition of that type in status.conditions, or nullptr.
const Json* FindCondition(FieldReader& status, std::string_view type) {
  const Json* conditions = status.Array("conditions");
  if (conditions == nullptr) return nullptr;
  for (const Json& condition : *conditions) {
    if (FieldReader(&condition, "status.conditions").String("type") == type) return &condition;
  }
  return nullptr;
}

// "True", "False", "Unknown"; empty when there is no such condition.
std::string ConditionStatus(FieldReader& status, std::string_view type) {
  FieldReader condition(FindCondition(status, type), "status.conditions");
  return condition.String("status");
}

// "Failed: BackoffLimitExceeded: too many pods failed".
std::string DescribeCondition(FieldReader& status, std::string_view type, std::string_view lead) {
  FieldReader condition(FindCondition(status, type), "status.conditions");
  std::string text(lead);
  for (const std::string& part : {condition.String("reason"), condition.String("message")}) {
    if (!part.empty()) text = StrCat(text, ": ", part);
  }
  return text;
}

HealthVerdict NotObserved(Subject& subject) {
  return Unhealthy(StrCat("generation ", subject.metadata.Int("generation"),
                          " is not seen by its controller yet, which is at ",
                          subject.status.Int("observedGeneration")));
}

bool Observed(Subject& subject) {
  return subject.status.Int("observedGeneration") == subject.metadata.Int("generation");
}

std::string OutOf(int64_t have, int64_t want, std::string_view what) {
  return StrCat(have, " of ", want, " ", what);
}

// What the controller says about why there are too few pods: quota, a webhook that refuses them, a
// rollout that does not get on.
HealthVerdict WithConditions(Subject& subject, HealthVerdict verdict) {
  for (const auto& [type, bad] :
       {std::pair<std::string_view, std::string_view>{"ReplicaFailure", "True"},
        {"Progressing", "False"}}) {
    if (ConditionStatus(subject.status, type) != bad) continue;
    const std::string lead = bad == "True" ? std::string(type) : StrCat("not ", type);
    verdict.reason += StrCat("; ", DescribeCondition(subject.status, type, lead));
  }
  return verdict;
}

// Deployment and StatefulSet.
HealthVerdict RollingWorkload(Subject& subject) {
  if (!Observed(subject)) return NotObserved(subject);
  const int64_t updated = subject.status.Int("updatedReplicas");
  const int64_t available = subject.status.Int("availableReplicas");
  if (subject.spec.Has("replicas") && updated < subject.spec.Int("replicas")) {
    return WithConditions(
        subject, Unhealthy(OutOf(updated, subject.spec.Int("replicas"), "replicas are updated")));
  }
  if (available < updated) {
    return WithConditions(subject,
                          Unhealthy(OutOf(available, updated, "updated replicas are available")));
  }
  return Healthy();
}

HealthVerdict ReplicaSet(Subject& subject) {
  if (!Observed(subject)) return NotObserved(subject);
  const int64_t available = subject.status.Int("availableReplicas");
  if (subject.spec.Has("replicas") && available < subject.spec.Int("replicas")) {
    return WithConditions(subject, Unhealthy(OutOf(available, subject.spec.Int("replicas"),
                                                   "replicas are available")));
  }
  return Healthy();
}

HealthVerdict DaemonSet(Subject& subject) {
  if (!Observed(subject)) return NotObserved(subject);
  const int64_t desired = subject.status.Int("desiredNumberScheduled");
  const int64_t updated = subject.status.Int("updatedNumberScheduled");
  const int64_t available = subject.status.Int("numberAvailable");
  if (updated < desired) return Unhealthy(OutOf(updated, desired, "pods are updated"));
  if (available < updated) return Unhealthy(OutOf(available, updated, "pods are available"));
  return Healthy();
}

bool HasLoadBalancerAddress(Subject& subject) {
  FieldReader balancer(subject.status.Object("loadBalancer"), "status.loadBalancer");
  const Json* ingress = balancer.Array("ingress");
  if (ingress == nullptr) return false;
  for (const Json& entry : *ingress) {
    FieldReader fields(&entry, "status.loadBalancer.ingress");
    if (!fields.String("hostname").empty() || !fields.String("ip").empty()) return true;
  }
  return false;
}

HealthVerdict Service(Subject& subject) {
  if (subject.spec.String("type") != "LoadBalancer") return Healthy();
  if (HasLoadBalancerAddress(subject)) return Healthy();
  return Unhealthy("the load balancer has no address yet");
}

HealthVerdict Ingress(Subject& subject) {
  if (HasLoadBalancerAddress(subject)) return Healthy();
  return Unhealthy("the ingress has no address yet");
}

HealthVerdict Pod(Subject& subject) {
  const std::string phase = subject.status.String("phase");
  if (phase == "Succeeded") return Healthy();
  if (phase != "Running") return Unhealthy(StrCat("phase is ", phase.empty() ? "not set" : phase));
  if (ConditionStatus(subject.status, "Ready") == "True") return Healthy();
  return Unhealthy(DescribeCondition(subject.status, "Ready", "running but not ready"));
}

HealthVerdict PersistentVolumeClaim(Subject& subject) {
  const std::string phase = subject.status.String("phase");
  if (phase == "Bound") return Healthy();
  return Unhealthy(StrCat("the claim is ", phase.empty() ? "not bound" : phase));
}

HealthVerdict PersistentVolume(Subject& subject) {
  if (subject.status.String("phase") == "Failed") return Unhealthy("the volume has failed");
  return Healthy();
}

HealthVerdict PodDisruptionBudget(Subject& subject) {
  const int64_t current = subject.status.Int("currentHealthy");
  const int64_t desired = subject.status.Int("desiredHealthy");
  if (current >= desired) return Healthy();
  return Unhealthy(OutOf(current, desired, "pods are healthy"));
}

HealthVerdict Job(Subject& subject) {
  for (const std::string_view type : {"Failed", "FailureTarget"}) {
    if (ConditionStatus(subject.status, type) == "True") {
      return Unhealthy(DescribeCondition(subject.status, type, "the job has failed"));
    }
  }
  return Healthy();  // waiting, running or complete
}

HealthVerdict HorizontalPodAutoscaler(Subject& subject) {
  for (const std::string_view type : {"AbleToScale", "ScalingActive"}) {
    // Scaling to zero switches the autoscaler off on purpose.
    FieldReader condition(FindCondition(subject.status, type), "status.conditions");
    if (condition.String("status") == "False" && condition.String("reason") != "ScalingDisabled") {
      return Unhealthy(DescribeCondition(subject.status, type, StrCat("not ", type)));
    }
  }
  return Healthy();
}

HealthVerdict Namespace(Subject& subject) {
  if (subject.status.String("phase") == "Terminating") {
    return Unhealthy("the namespace is terminating");
  }
  return Healthy();
}

HealthVerdict CustomResourceDefinition(Subject& subject) {
  if (ConditionStatus(subject.status, "NamesAccepted") == "False") {
    return Unhealthy(DescribeCondition(subject.status, "NamesAccepted", "names not accepted"));
  }
  if (ConditionStatus(subject.status, "Established") == "True") return Healthy();
  return Unhealthy("the definition is not established yet");
}

// A resource whose kind has no rule: by the conditions that most controllers write.
HealthVerdict ByConditions(Subject& subject) {
  if (subject.status.Has("observedGeneration") &&
      subject.status.Int("observedGeneration") < subject.metadata.Int("generation")) {
    return NotObserved(subject);
  }
  if (ConditionStatus(subject.status, "Failed") == "True") {
    return Unhealthy(DescribeCondition(subject.status, "Failed", "Failed"));
  }
  bool unknown = false;
  for (const std::string_view type : {"Ready", "Available", "Reconciled"}) {
    const std::string value = ConditionStatus(subject.status, type);
    if (value == "False") {
      return Unhealthy(DescribeCondition(subject.status, type, StrCat("not ", type)));
    }
    if (value == "Unknown") unknown = true;
  }
  if (unknown) return {Health::kUnknown, "its controller does not know"};
  return Healthy();
}

HealthVerdict AlwaysHealthy(Subject&) { return Healthy(); }

using Judge = HealthVerdict (*)(Subject&);

const std::map<std::string_view, Judge>& Judges() {
  static const auto& rules = *new std::map<std::string_view, Judge>{
      {"/ConfigMap", AlwaysHealthy},
      {"/Namespace", Namespace},
      {"/PersistentVolume", PersistentVolume},
      {"/PersistentVolumeClaim", PersistentVolumeClaim},
      {"/Pod", Pod},
      {"/Secret", AlwaysHealthy},
      {"/Service", Service},
      {"/ServiceAccount", AlwaysHealthy},
      {"apiextensions.k8s.io/CustomResourceDefinition", CustomResourceDefinition},
      {"apps/DaemonSet", DaemonSet},
      {"apps/Deployment", RollingWorkload},
      {"apps/ReplicaSet", ReplicaSet},
      {"apps/StatefulSet", RollingWorkload},
      {"autoscaling/HorizontalPodAutoscaler", HorizontalPodAutoscaler},
      {"batch/CronJob", AlwaysHealthy},
      {"batch/Job", Job},
      {"networking.k8s.io/Ingress", Ingress},
      {"policy/PodDisruptionBudget", PodDisruptionBudget},
  };
  return rules;
}

}  // namespace

std::string_view HealthName(Health health) {
  switch (health) {
    case Health::kHealthy:
      return "Healthy";
    case Health::kUnhealthy:
      return "Unhealthy";
    case Health::kUnknown:
      break;
  }
  return "Unknown";
}

Health ParseHealth(std::string_view name) {
  if (name == "Healthy") return Health::kHealthy;
  if (name == "Unhealthy") return Health::kUnhealthy;
  return Health::kUnknown;
}

HealthVerdict InterpretHealth(const Json& object) {
  FieldReader reader(&object, "object");
  Subject subject{FieldReader(reader.Object("metadata"), "metadata"),
                  FieldReader(reader.Object("spec"), "spec"),
                  FieldReader(reader.Object("status"), "status")};
  const auto rule = Judges().find(GroupKind(object));
  HealthVerdict verdict = rule != Judges().end() ? rule->second(subject) : ByConditions(subject);
  for (const FieldReader* part : {&reader, &subject.metadata, &subject.spec, &subject.status}) {
    if (!part->status().ok()) {
      return {Health::kUnknown, std::string(part->status().message())};
    }
  }
  return verdict;
}

}  // namespace sealane::kube
