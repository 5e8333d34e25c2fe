// The scheduler and the kubelets.

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "tools/kubesim/cluster.h"
#include "tools/kubesim/objects.h"

namespace sealane::kubesim {

using kubeapi::ObjectKey;
using kubeapi::ObjectPtr;

namespace {

// Images that cannot be pulled, so that failures can be simulated.
bool CannotPull(const std::string& image) {
  return image.find(":bad") != std::string::npos || image.find("/missing/") != std::string::npos;
}

bool Ends(const Json& pod) { return TextAt(pod, "spec.restartPolicy") != "Always"; }

}  // namespace

void Cluster::ReconcilePod(const ObjectPtr& pod) {
  const Json& object = pod->value();
  if (IsDeleting(object)) {
    pending_.erase(pod->key());
    const auto deleted = ParseKubeTime(TextAt(object, "metadata.deletionTimestamp"));
    const absl::Duration grace =
        absl::Seconds(NumberAt(object, "metadata.deletionGracePeriodSeconds"));
    // The kubelet of a failed node removes nothing.
    const ObjectPtr node = store_.Get({"nodes", "", TextAt(object, "spec.nodeName")});
    if (node != nullptr && !HasCondition(node->value(), "Ready")) return;
    const absl::Time start = deleted.ok() ? *deleted - grace : env_.clock.Now();
    const absl::Time end = start + std::min(grace, options_.stop_delay);
    if (env_.clock.Now() >= end) return DeletePodNow(*pod);
    return EnqueueAfter(pod->key(), end - env_.clock.Now());
  }
  const std::string phase = TextAt(object, "status.phase");
  if (phase == "Succeeded" || phase == "Failed") return;
  if (TextAt(object, "spec.nodeName").empty()) return SchedulePod(pod);
  RunPod(pod);
}

void Cluster::SchedulePod(const ObjectPtr& pod) {
  std::vector<ObjectPtr> held;
  std::map<std::string, const Json*> nodes;
  store_.ForEach("nodes", "", {}, [&](const ObjectPtr& node) {
    held.push_back(node);
    nodes[node->key().name] = &node->value();
    return true;
  });
  const auto chosen = ChooseNode(pod->value(), nodes, used_);
  Json object = pod->value();
  if (!chosen.ok()) {
    pending_.insert(pod->key());
    const std::string why(chosen.status().message());
    SetCondition(object["status"], "PodScheduled", "False", "Unschedulable", why);
    if (object != pod->value()) {
      Write(*pod, object, "status");
      Event(*pod, "Warning", "FailedScheduling", why);
    }
    return;
  }
  pending_.erase(pod->key());
  scheduled_at_[TextAt(object, "metadata.uid")] = env_.clock.Now();
  object["spec"]["nodeName"] = *chosen;
  SetCondition(object["status"], "PodScheduled", "True", "", "");
  // The binding and its condition are one write, as with the real binding endpoint.
  store_.Put(pod->key(), std::move(object), pod->revision(), [](auto) {});
}

void Cluster::RetryPending() {
  for (const ObjectKey& key : pending_) Enqueue(key);
}

void Cluster::RunPod(const ObjectPtr& pod) {
  Json object = pod->value();
  Json& status = object["status"];
  const std::string uid = TextAt(object, "metadata.uid");
  const auto known = scheduled_at_.emplace(uid, env_.clock.Now()).first;
  const absl::Time now = env_.clock.Now();
  const absl::Time ready_at = known->second + options_.startup_delay;
  const absl::Time done_at = ready_at + options_.job_duration;
  const ObjectPtr node = store_.Get({"nodes", "", TextAt(object, "spec.nodeName")});
  const bool node_ready = node != nullptr && HasCondition(node->value(), "Ready");
  bool pullable = true;
  for (const Json& container : ValueAt(object, "spec.containers")) {
    pullable = pullable && !CannotPull(container.value("image", ""));
  }
  const bool started = now >= ready_at && pullable;
  const bool finished = started && Ends(object) && now >= done_at;
  const bool ready = started && !finished && node_ready;

  if (!status.contains("startTime")) status["startTime"] = Now();
  if (node != nullptr) status["hostIP"] = ValueAt(node->value(), "status.addresses")[0]["address"];
  status["phase"] = finished ? "Succeeded" : started ? "Running" : "Pending";
  if (started && !status.contains("podIP")) {
    const uint64_t ip = ++next_pod_ip_;
    status["podIP"] = StrCat("10.244.", ip / 250 % 250, ".", 1 + ip % 250);
    status["podIPs"] = Json::array({{{"ip", status["podIP"]}}});
  }
  SetCondition(status, "PodScheduled", "True", "", "");
  SetCondition(status, "Initialized", "True", finished ? "PodCompleted" : "", "");
  const std::string not_ready = finished ? "PodCompleted" : "ContainersNotReady";
  SetCondition(status, "ContainersReady", ready ? "True" : "False", ready ? "" : not_ready, "");
  SetCondition(status, "Ready", ready ? "True" : "False", ready ? "" : not_ready, "");
  Json containers = Json::array();
  for (const Json& container : ValueAt(object, "spec.containers")) {
    const std::string image = container.value("image", "");
    Json state;
    if (finished) {
      state["terminated"] = {{"exitCode", 0},
                             {"reason", "Completed"},
                             {"startedAt", FormatKubeTime(ready_at)},
                             {"finishedAt", FormatKubeTime(done_at)}};
    } else if (started) {
      state["running"] = {{"startedAt", FormatKubeTime(ready_at)}};
    } else if (CannotPull(image) && now >= ready_at) {
      state["waiting"] = {{"reason", "ImagePullBackOff"},
                          {"message", StrCat("Back-off pulling image \"", image, "\"")}};
    } else {
      state["waiting"] = {{"reason", "ContainerCreating"}};
    }
    containers.push_back({{"name", container.value("name", "")},
                          {"image", image},
                          {"imageID", started ? StrCat("kubesim://", image) : ""},
                          {"ready", ready},
                          {"started", started && !finished},
                          {"restartCount", 0},
                          {"state", state}});
  }
  status["containerStatuses"] = containers;
  Write(*pod, object, "status");
  if (!pullable && now >= ready_at) {
    Event(*pod, "Warning", "Failed", "Error: ImagePullBackOff");
  } else if (!started) {
    EnqueueAfter(pod->key(), ready_at - now);
  } else if (Ends(object) && !finished) {
    EnqueueAfter(pod->key(), done_at - now);
  }
}

}  // namespace sealane::kubesim
