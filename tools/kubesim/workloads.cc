// StatefulSets, DaemonSets and Jobs.

#include <algorithm>
#include <map>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tools/kubesim/cluster.h"
#include "tools/kubesim/objects.h"

namespace sealane::kubesim {

using kubeapi::ObjectPtr;

namespace {

constexpr char kRevisionLabel[] = "controller-revision-hash";

std::string LabelOf(const Json& object, const char* label) {
  const Json& labels = ValueAt(object, "metadata.labels");
  return labels.is_object() ? labels.value(label, "") : "";
}

}  // namespace

void Cluster::ReconcileStatefulSet(const ObjectPtr& set) {
  const Json& object = set->value();
  const int64_t desired = NumberAt(object, "spec.replicas", 1);
  const std::string name = set->key().name;
  const std::string update = StrCat(name, "-", TemplateHash(ValueAt(object, "spec.template")));
  const bool parallel = TextAt(object, "spec.podManagementPolicy") == "Parallel";
  std::map<int64_t, ObjectPtr> pods;
  std::vector<ObjectPtr> surplus;
  for (const ObjectPtr& pod : OwnedBy(TextAt(object, "metadata.uid"), "pods")) {
    const int64_t ordinal = std::atoll(pod->key().name.substr(name.size() + 1).c_str());
    if (ordinal >= desired) {
      surplus.push_back(pod);
    } else {
      pods[ordinal] = pod;
    }
  }
  // Scale down from the highest ordinal, one at a time unless parallel.
  std::sort(surplus.begin(), surplus.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
    return a->key().name.size() != b->key().name.size()
               ? a->key().name.size() > b->key().name.size()
               : a->key().name > b->key().name;
  });
  for (const ObjectPtr& pod : surplus) {
    if (!IsDeleting(pod->value())) Delete(*pod);
    if (!parallel) break;
  }
  bool all_ready = surplus.empty();
  for (int64_t i = 0; i < desired; ++i) {
    const auto it = pods.find(i);
    if (it == pods.end()) {
      Json pod_template = ValueAt(object, "spec.template");
      Json& labels = pod_template["metadata"]["labels"];
      labels[kRevisionLabel] = update;
      labels["statefulset.kubernetes.io/pod-name"] = StrCat(name, "-", i);
      labels["apps.kubernetes.io/pod-index"] = std::to_string(i);
      Create("pods", set->key().ns,
             PodFromTemplate(*set, "StatefulSet", pod_template, StrCat(name, "-", i)));
      all_ready = false;
      if (!parallel) break;
    } else if (!IsReadyPod(it->second->value())) {
      all_ready = false;
      if (!parallel) break;
    }
  }
  // Update from the highest ordinal, when everything is ready.
  const int64_t partition = NumberAt(object, "spec.updateStrategy.rollingUpdate.partition");
  const bool rolling = TextAt(object, "spec.updateStrategy.type") == "RollingUpdate";
  for (auto it = pods.rbegin(); rolling && it != pods.rend(); ++it) {
    if (it->first < partition || IsDeleting(it->second->value())) continue;
    if (LabelOf(it->second->value(), kRevisionLabel) == update) continue;
    if (all_ready || !IsReadyPod(it->second->value())) {
      Delete(*it->second);
      break;
    }
  }
  int64_t total = 0;
  int64_t ready = 0;
  int64_t updated = 0;
  for (const ObjectPtr& pod : OwnedBy(TextAt(object, "metadata.uid"), "pods")) {
    if (IsDeleting(pod->value())) continue;
    ++total;
    if (IsReadyPod(pod->value())) ++ready;
    if (LabelOf(pod->value(), kRevisionLabel) == update) ++updated;
  }
  const ObjectPtr now = store_.Get(set->key());
  if (now == nullptr) return;
  Json written = now->value();
  const bool complete = updated == total && ready == desired && total == desired;
  std::string current = TextAt(written, "status.currentRevision");
  if (current.empty() || complete) current = update;
  Json status = {{"observedGeneration", NumberAt(written, "metadata.generation")},
                 {"replicas", total},
                 {"availableReplicas", ready},
                 {"collisionCount", 0},
                 {"currentRevision", current},
                 {"updateRevision", update}};
  const int64_t of_current = current == update ? updated : total - updated;
  if (ready != 0) status["readyReplicas"] = ready;
  if (of_current != 0) status["currentReplicas"] = of_current;
  if (updated != 0) status["updatedReplicas"] = updated;
  written["status"] = status;
  Write(*now, written, "status");
}

void Cluster::ReconcileDaemonSet(const ObjectPtr& set) {
  const Json& object = set->value();
  const std::string hash = TemplateHash(ValueAt(object, "spec.template"));
  std::map<std::string, std::vector<ObjectPtr>> by_node;
  for (const ObjectPtr& pod : OwnedBy(TextAt(object, "metadata.uid"), "pods")) {
    by_node[TextAt(pod->value(), "spec.nodeName")].push_back(pod);
  }
  const Json selector = ValueAt(object, "spec.template.spec").value("nodeSelector", Json::object());
  int64_t desired = 0;
  int64_t unavailable = 0;
  std::vector<ObjectPtr> outdated;
  std::vector<std::string> missing;
  store_.ForEach("nodes", "", {}, [&](const ObjectPtr& node) {
    const Json& labels = ValueAt(node->value(), "metadata.labels");
    for (const auto& [key, value] : selector.items()) {
      if (!labels.is_object() || labels.value(key, "") != value) return true;
    }
    ++desired;
    auto& pods = by_node[node->key().name];
    bool active = false;
    bool ready = false;
    for (const ObjectPtr& pod : pods) {
      active = active || IsActivePod(pod->value());
      ready = ready || IsReadyPod(pod->value());
      if (IsActivePod(pod->value()) && LabelOf(pod->value(), kRevisionLabel) != hash) {
        outdated.push_back(pod);
      }
    }
    if (!ready) ++unavailable;
    if (pods.empty()) missing.push_back(node->key().name);
    return true;
  });
  for (const std::string& node : missing) {
    Json pod_template = ValueAt(object, "spec.template");
    pod_template["metadata"]["labels"][kRevisionLabel] = hash;
    pod_template["spec"]["nodeName"] = node;
    Create("pods", set->key().ns, PodFromTemplate(*set, "DaemonSet", pod_template, ""));
  }
  if (TextAt(object, "spec.updateStrategy.type") == "RollingUpdate") {
    const int64_t allowed = std::max<int64_t>(
        1, IntOrPercent(ValueAt(object, "spec.updateStrategy.rollingUpdate.maxUnavailable"),
                        desired, true));
    for (const ObjectPtr& pod : outdated) {
      const bool ready = IsReadyPod(pod->value());
      if (ready && unavailable >= allowed) continue;
      if (ready) ++unavailable;
      Delete(*pod);
    }
  }
  int64_t current = 0;
  int64_t ready = 0;
  int64_t updated = 0;
  for (const ObjectPtr& pod : OwnedBy(TextAt(object, "metadata.uid"), "pods")) {
    if (!IsActivePod(pod->value())) continue;
    ++current;
    if (IsReadyPod(pod->value())) ++ready;
    if (LabelOf(pod->value(), kRevisionLabel) == hash) ++updated;
  }
  const ObjectPtr now = store_.Get(set->key());
  if (now == nullptr) return;
  Json written = now->value();
  Json status = {{"observedGeneration", NumberAt(written, "metadata.generation")},
                 {"currentNumberScheduled", current},
                 {"desiredNumberScheduled", desired},
                 {"numberMisscheduled", 0},
                 {"numberReady", ready}};
  if (ready != 0) status["numberAvailable"] = ready;
  if (desired != ready) status["numberUnavailable"] = desired - ready;
  if (updated != 0) status["updatedNumberScheduled"] = updated;
  written["status"] = status;
  Write(*now, written, "status");
}

void Cluster::ReconcileJob(const ObjectPtr& job) {
  const Json& object = job->value();
  if (HasCondition(object, "Complete") || HasCondition(object, "Failed")) return;
  int64_t active = 0;
  int64_t ready = 0;
  int64_t succeeded = 0;
  int64_t failed = 0;
  for (const ObjectPtr& pod : OwnedBy(TextAt(object, "metadata.uid"), "pods")) {
    const std::string phase = TextAt(pod->value(), "status.phase");
    if (phase == "Succeeded") ++succeeded;
    if (phase == "Failed") ++failed;
    if (IsActivePod(pod->value())) ++active;
    if (IsReadyPod(pod->value())) ++ready;
  }
  const int64_t parallelism = NumberAt(object, "spec.parallelism", 1);
  const int64_t completions = NumberAt(object, "spec.completions", parallelism);
  const bool suspended = ValueAt(object, "spec.suspend") == true;
  if (!suspended && failed <= NumberAt(object, "spec.backoffLimit", 6)) {
    const int64_t wanted = std::min(parallelism, completions - succeeded);
    for (; active < wanted; ++active) {
      Create("pods", job->key().ns,
             PodFromTemplate(*job, "Job", ValueAt(object, "spec.template"), ""));
    }
  }
  const ObjectPtr now = store_.Get(job->key());
  if (now == nullptr) return;
  Json written = now->value();
  Json& status = written["status"];
  if (!status.is_object()) status = Json::object();
  const auto set = [&](const char* field, int64_t value) {
    if (value == 0) {
      status.erase(field);
    } else {
      status[field] = value;
    }
  };
  set("active", active);
  set("succeeded", succeeded);
  set("failed", failed);
  status["ready"] = ready;
  status["terminating"] = 0;
  if (!suspended && !status.contains("startTime")) status["startTime"] = Now();
  if (succeeded >= completions) {
    SetCondition(status, "SuccessCriteriaMet", "True", "CompletionsReached",
                 "Reached expected number of succeeded pods");
    SetCondition(status, "Complete", "True", "CompletionsReached",
                 "Reached expected number of succeeded pods");
    status["completionTime"] = Now();
  } else if (failed > NumberAt(object, "spec.backoffLimit", 6)) {
    SetCondition(status, "Failed", "True", "BackoffLimitExceeded",
                 "Job has reached the specified backoff limit");
  }
  Write(*now, written, "status");
}

}  // namespace sealane::kubesim
