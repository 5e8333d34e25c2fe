// Deployments and ReplicaSets: rolling updates as the real controllers make them.

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "tools/kubesim/cluster.h"
#include "tools/kubesim/objects.h"

namespace sealane::kubesim {

using kubeapi::ObjectPtr;
using kubeapi::StoredObject;

namespace {

constexpr char kHashLabel[] = "pod-template-hash";
constexpr char kRevision[] = "deployment.kubernetes.io/revision";

int64_t Replicas(const ObjectPtr& set) { return NumberAt(set->value(), "spec.replicas"); }
int64_t Available(const ObjectPtr& set) {
  return NumberAt(set->value(), "status.availableReplicas");
}

int64_t Revision(const Json& object) {
  const Json& annotations = ValueAt(object, "metadata.annotations");
  return annotations.is_object() ? std::atoll(annotations.value(kRevision, "0").c_str()) : 0;
}

}  // namespace

void Cluster::Scale(const StoredObject& replica_set, int64_t replicas) {
  Json object = replica_set.value();
  object["spec"]["replicas"] = replicas;
  Write(replica_set, object, "");
}

void Cluster::ReconcileDeployment(const ObjectPtr& deployment) {
  const Json& object = deployment->value();
  const std::string hash = TemplateHash(ValueAt(object, "spec.template"));
  std::vector<ObjectPtr> sets = OwnedBy(TextAt(object, "metadata.uid"), "apps/replicasets");
  ObjectPtr current;
  std::vector<ObjectPtr> old;
  int64_t last_revision = 0;
  for (const ObjectPtr& set : sets) {
    last_revision = std::max(last_revision, Revision(set->value()));
    if (ValueAt(set->value(), "metadata.labels").value(kHashLabel, "") == hash) {
      current = set;
    } else {
      old.push_back(set);
    }
  }
  const bool paused = ValueAt(object, "spec.paused") == true;
  if (current == nullptr && !paused) {
    const int64_t revision = last_revision + 1;
    Json pod_template = ValueAt(object, "spec.template");
    pod_template["metadata"]["labels"][kHashLabel] = hash;
    Json selector = ValueAt(object, "spec.selector");
    selector["matchLabels"][kHashLabel] = hash;
    Create("apps/replicasets", deployment->key().ns,
           {{"metadata",
             {{"name", StrCat(deployment->key().name, "-", hash)},
              {"labels", pod_template["metadata"]["labels"]},
              {"annotations", {{kRevision, std::to_string(revision)}}},
              {"ownerReferences", Json::array({OwnerReference(object, "Deployment")})}}},
            {"spec",
             {{"replicas", 0},
              {"selector", selector},
              {"minReadySeconds", NumberAt(object, "spec.minReadySeconds")},
              {"template", pod_template}}}});
    return;  // the new ReplicaSet brings this key back
  }
  if (current != nullptr && !old.empty() && Revision(current->value()) < last_revision) {
    // A rollback: the old template becomes the newest revision again.
    Json again = current->value();
    again["metadata"]["annotations"][kRevision] = std::to_string(last_revision + 1);
    return Write(*current, again, "");
  }
  if (current != nullptr && Revision(object) != Revision(current->value())) {
    Json annotated = object;
    annotated["metadata"]["annotations"][kRevision] = std::to_string(Revision(current->value()));
    return Write(*deployment, annotated, "");
  }
  if (current != nullptr && !paused) RollOut(*deployment, current, old);
  // What was scaled above is read again: the status must show the whole.
  for (ObjectPtr& set : sets) {
    if (ObjectPtr now = store_.Get(set->key())) set = now;
  }
  if (current != nullptr) current = store_.Get(current->key());
  if (const ObjectPtr now = store_.Get(deployment->key())) {
    WriteDeploymentStatus(*now, current, sets);
  }
}

void Cluster::RollOut(const StoredObject& deployment, const ObjectPtr& current,
                      const std::vector<ObjectPtr>& old) {
  const Json& object = deployment.value();
  const int64_t desired = NumberAt(object, "spec.replicas", 1);
  int64_t old_replicas = 0;
  int64_t old_pods = 0;
  int64_t available = Available(current);
  for (const ObjectPtr& set : old) {
    old_replicas += Replicas(set);
    old_pods += static_cast<int64_t>(OwnedBy(TextAt(set->value(), "metadata.uid"), "pods").size());
    available += Available(set);
  }
  if (TextAt(object, "spec.strategy.type") == "Recreate") {
    for (const ObjectPtr& set : old) {
      if (Replicas(set) != 0) Scale(*set, 0);
    }
    if (old_pods == 0 && Replicas(current) != desired) Scale(*current, desired);
    return;
  }
  const int64_t surge =
      IntOrPercent(ValueAt(object, "spec.strategy.rollingUpdate.maxSurge"), desired, true);
  int64_t unavailable =
      IntOrPercent(ValueAt(object, "spec.strategy.rollingUpdate.maxUnavailable"), desired, false);
  if (surge == 0 && unavailable == 0) unavailable = 1;
  // Up: as many new ones as the surge allows.
  const int64_t now = Replicas(current);
  int64_t wanted = now;
  if (now > desired) {
    wanted = desired;
  } else if (now < desired) {
    wanted = std::min(desired, now + std::max<int64_t>(0, desired + surge - now - old_replicas));
  }
  if (wanted != now) Scale(*current, wanted);
  // Down: what is not available first, then as many as may be missing.
  const int64_t minimum = desired - unavailable;
  const int64_t new_unavailable = wanted - Available(current);
  int64_t budget = std::max<int64_t>(0, wanted + old_replicas - minimum - new_unavailable);
  int64_t spare = std::max<int64_t>(0, available - minimum);
  for (const ObjectPtr& set : old) {
    const int64_t replicas = Replicas(set);
    if (replicas == 0) continue;
    const int64_t broken = std::min(budget, std::max<int64_t>(0, replicas - Available(set)));
    const int64_t good =
        std::min({spare, replicas - broken, std::max<int64_t>(0, budget - broken)});
    if (broken + good == 0) continue;
    budget -= broken + good;
    spare -= good;
    Scale(*set, replicas - broken - good);
  }
  // Old revisions beyond the history limit go.
  const int64_t keep = NumberAt(object, "spec.revisionHistoryLimit", 10);
  std::vector<ObjectPtr> empty;
  for (const ObjectPtr& set : old) {
    if (Replicas(set) == 0 && NumberAt(set->value(), "status.replicas") == 0) empty.push_back(set);
  }
  std::stable_sort(empty.begin(), empty.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
    return Revision(a->value()) < Revision(b->value());
  });
  for (size_t i = 0; static_cast<int64_t>(empty.size() - i) > keep; ++i) Delete(*empty[i]);
}

void Cluster::WriteDeploymentStatus(const StoredObject& deployment, const ObjectPtr& current,
                                    const std::vector<ObjectPtr>& all) {
  Json object = deployment.value();
  const int64_t desired = NumberAt(object, "spec.replicas", 1);
  int64_t total = 0;
  int64_t ready = 0;
  int64_t available = 0;
  for (const ObjectPtr& set : all) {
    total += NumberAt(set->value(), "status.replicas");
    ready += NumberAt(set->value(), "status.readyReplicas");
    available += Available(set);
  }
  const int64_t updated = current == nullptr ? 0 : NumberAt(current->value(), "status.replicas");
  Json& status = object["status"];
  if (!status.is_object()) status = Json::object();
  const Json conditions = status.value("conditions", Json::array());
  status = {{"observedGeneration", NumberAt(object, "metadata.generation")}};
  if (!conditions.empty()) status["conditions"] = conditions;
  const auto set = [&](const char* field, int64_t value) {
    if (value != 0) status[field] = value;
  };
  set("replicas", total);
  set("updatedReplicas", updated);
  set("readyReplicas", ready);
  set("availableReplicas", available);
  set("unavailableReplicas", std::max<int64_t>(0, std::max(desired, total) - available));

  const int64_t unavailable =
      IntOrPercent(ValueAt(object, "spec.strategy.rollingUpdate.maxUnavailable"), desired, false);
  if (available >= desired - unavailable) {
    SetCondition(status, "Available", "True", "MinimumReplicasAvailable",
                 "Deployment has minimum availability.");
  } else {
    SetCondition(status, "Available", "False", "MinimumReplicasUnavailable",
                 "Deployment does not have minimum availability.");
  }
  const bool complete =
      updated == desired && total == desired && available == desired && current != nullptr;
  const std::string set_name = current == nullptr ? "" : current->key().name;
  const Json& before = deployment.value();
  const bool progressed =
      NumberAt(before, "status.updatedReplicas") != updated ||
      NumberAt(before, "status.replicas") != total ||
      NumberAt(before, "status.readyReplicas") != ready ||
      NumberAt(before, "status.availableReplicas") != available ||
      NumberAt(before, "status.observedGeneration") != NumberAt(object, "metadata.generation");
  absl::Time last_progress = env_.clock.Now();
  std::string reason;
  for (const Json& condition : conditions) {
    if (condition.value("type", "") != "Progressing") continue;
    reason = condition.value("reason", "");
    const auto time = ParseKubeTime(condition.value("lastUpdateTime", ""));
    if (time.ok() && !progressed) last_progress = *time;
  }
  const absl::Duration limit = absl::Seconds(NumberAt(object, "spec.progressDeadlineSeconds", 600));
  const absl::Duration idle = env_.clock.Now() - last_progress;
  if (complete) {
    SetCondition(status, "Progressing", "True", "NewReplicaSetAvailable",
                 StrCat("ReplicaSet \"", set_name, "\" has successfully progressed."));
  } else if (idle >= limit || (reason == "ProgressDeadlineExceeded" && !progressed)) {
    SetCondition(status, "Progressing", "False", "ProgressDeadlineExceeded",
                 StrCat("ReplicaSet \"", set_name, "\" has timed out progressing."));
  } else {
    SetCondition(status, "Progressing", "True", "ReplicaSetUpdated",
                 StrCat("ReplicaSet \"", set_name, "\" is progressing."));
    EnqueueAfter(deployment.key(), limit - idle);
  }
  for (Json& condition : status["conditions"]) {
    const bool progressing = condition.value("type", "") == "Progressing";
    if (!condition.contains("lastUpdateTime") || (progressing && progressed)) {
      condition["lastUpdateTime"] = Now();
    }
  }
  Write(deployment, object, "status");
}

void Cluster::ReconcileReplicaSet(const ObjectPtr& replica_set) {
  const Json& object = replica_set->value();
  const int64_t desired = NumberAt(object, "spec.replicas", 1);
  std::vector<ObjectPtr> active;
  for (ObjectPtr& pod : OwnedBy(TextAt(object, "metadata.uid"), "pods")) {
    if (IsActivePod(pod->value())) active.push_back(std::move(pod));
  }
  const auto have = static_cast<int64_t>(active.size());
  for (int64_t i = have; i < desired; ++i) {
    Create("pods", replica_set->key().ns,
           PodFromTemplate(*replica_set, "ReplicaSet", ValueAt(object, "spec.template"), ""));
  }
  if (have > desired) {
    // Those that are not ready go first, then the youngest.
    std::stable_sort(active.begin(), active.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
      const bool a_ready = IsReadyPod(a->value());
      const bool b_ready = IsReadyPod(b->value());
      if (a_ready != b_ready) return !a_ready;
      return TextAt(a->value(), "metadata.creationTimestamp") >
             TextAt(b->value(), "metadata.creationTimestamp");
    });
    for (int64_t i = 0; i < have - desired; ++i) Delete(*active[static_cast<size_t>(i)]);
  }
  int64_t total = 0;
  int64_t ready = 0;
  for (const ObjectPtr& pod : OwnedBy(TextAt(object, "metadata.uid"), "pods")) {
    if (!IsActivePod(pod->value())) continue;
    ++total;
    if (IsReadyPod(pod->value())) ++ready;
  }
  const ObjectPtr now = store_.Get(replica_set->key());
  if (now == nullptr) return;
  Json written = now->value();
  Json status = {{"replicas", total},
                 {"observedGeneration", NumberAt(written, "metadata.generation")}};
  if (total != 0) status["fullyLabeledReplicas"] = total;
  if (ready != 0) status["readyReplicas"] = ready;
  if (ready != 0) status["availableReplicas"] = ready;
  written["status"] = status;
  Write(*now, written, "status");
}

}  // namespace sealane::kubesim
