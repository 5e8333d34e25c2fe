#include "services/agent/pods.h"

#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "sealane/v1/tables.pb.h"

namespace sealane::agent {
namespace {

using kube::Find;
using kube::GetInt;
using kube::GetString;

// A workload that has just changed is given this long before its pods are looked at.
constexpr absl::Duration kGrace = absl::Milliseconds(700);
constexpr absl::Duration kAgain = absl::Seconds(15);
constexpr int kPodPage = 100;
constexpr int kMaxPods = 1000;
constexpr size_t kMaxPodMessage = 200;

PodTrouble ContainerTrouble(const Json& pod, const char* list) {
  const Json* statuses = Find(pod, {"status", list});
  if (statuses == nullptr || !statuses->is_array()) return {};
  for (const Json& status : *statuses) {
    const std::string_view waiting = GetString(status, {"state", "waiting", "reason"});
    if (!waiting.empty() && waiting != "ContainerCreating" && waiting != "PodInitializing") {
      std::string message(GetString(status, {"state", "waiting", "message"}));
      const std::string_view last = GetString(status, {"lastState", "terminated", "reason"});
      if (waiting == "CrashLoopBackOff" && !last.empty()) {
        message =
            StrCat(last, ", exit code ", GetInt(status, {"lastState", "terminated", "exitCode"}),
                   ", ", GetInt(status, {"restartCount"}), " restarts");
      }
      return {std::string(waiting), message};
    }
    const Json* terminated = Find(status, {"state", "terminated"});
    if (terminated != nullptr && GetInt(*terminated, {"exitCode"}) != 0) {
      const std::string_view reason = GetString(*terminated, {"reason"});
      return {std::string(reason.empty() ? "Error" : reason),
              StrCat("exit code ", GetInt(*terminated, {"exitCode"}))};
    }
  }
  return {};
}

bool NeedsLook(const Item& item) {
  return item.work != nullptr && item.observed && !item.observed->pod_selector.empty();
}

}  // namespace

PodTrouble TroubleOf(const Json& pod) {
  const std::string_view phase = GetString(pod, {"status", "phase"});
  if (phase == "Succeeded") return {};
  PodTrouble trouble = ContainerTrouble(pod, "initContainerStatuses");
  if (trouble.reason.empty()) trouble = ContainerTrouble(pod, "containerStatuses");
  if (!trouble.reason.empty()) return trouble;
  if (phase == "Failed") {
    const std::string_view reason = GetString(pod, {"status", "reason"});
    return {std::string(reason.empty() ? "Failed" : reason),
            std::string(GetString(pod, {"status", "message"}))};
  }
  const Json* conditions = Find(pod, {"status", "conditions"});
  if (conditions == nullptr || !conditions->is_array()) return {};
  for (const Json& condition : *conditions) {
    if (GetString(condition, {"status"}) != "False") continue;
    const std::string_view type = GetString(condition, {"type"});
    if (type == "PodScheduled") {
      const std::string_view reason = GetString(condition, {"reason"});
      return {std::string(reason.empty() ? "Unschedulable" : reason),
              std::string(GetString(condition, {"message"}))};
    }
  }
  if (phase != "Running") return {};
  for (const Json& condition : *conditions) {
    if (GetString(condition, {"type"}) == "Ready" && GetString(condition, {"status"}) == "False") {
      const std::string_view reason = GetString(condition, {"reason"});
      return {std::string(reason.empty() ? "NotReady" : reason),
              std::string(GetString(condition, {"message"}))};
    }
  }
  return {};
}

std::string DescribeTrouble(const PodTrouble& trouble) {
  if (trouble.message.empty()) return trouble.reason;
  return StrCat(trouble.reason, " (", trouble.message.substr(0, kMaxPodMessage), ")");
}

void PodTally::Add(const Json& list) {
  const Json* pods = Find(list, {"items"});
  if (pods == nullptr || !pods->is_array()) return;
  for (const Json& pod : *pods) {
    ++seen_;
    if (!GetString(pod, {"metadata", "deletionTimestamp"}).empty()) continue;
    ++pods_;
    const PodTrouble trouble = TroubleOf(pod);
    if (trouble.reason.empty()) continue;
    auto& entry = troubles_[trouble.reason];
    ++entry.first;
    if (entry.second.empty()) entry.second = trouble.message.substr(0, kMaxPodMessage);
  }
}

std::string PodTally::Summary(bool more) const {
  std::string out;
  for (const auto& [reason, count] : troubles_) {
    out += StrCat(out.empty() ? "" : "; ", count.first, " of ", more ? "the first " : "", pods_,
                  " pods: ", DescribeTrouble({reason, count.second}));
  }
  return out;
}

PodInspector::PodInspector(Env env, kube::KubeClient& client, Items& items,
                           std::function<void(const std::string&)> on_detail)
    : client_(client),
      items_(items),
      on_detail_(std::move(on_detail)),
      queue_(
          env,
          [] {
            KeyedQueueOptions options;
            options.name = "pods";
            options.max_active = 2;
            options.max_active_per_lane = 2;
            options.backoff = {.initial = absl::Seconds(2), .max = absl::Minutes(1)};
            return options;
          }(),
          [this](const std::string& key, KeyedQueue::Done done) { Inspect(key, done); }),
      executor_(env.executor) {}

void PodInspector::ItemChanged(const std::string& key) {
  const auto it = items_.find(key);
  if (it != items_.end() && NeedsLook(it->second)) {
    unhealthy_.insert_or_assign(key, it->second.work->ref().namespace_());
    queue_.AddAfter(key, kGrace);
    return;
  }
  if (unhealthy_.erase(key) == 0) return;
  queue_.Forget(key);
  if (it != items_.end()) SetDetail(key, it->second, "");
}

void PodInspector::PodChanged(std::string_view ns) {
  for (const auto& entry : unhealthy_) {
    if (entry.second == ns) queue_.AddAfter(entry.first, kGrace);
  }
}

void PodInspector::Inspect(const std::string& key, const KeyedQueue::Done& done) {
  const auto it = items_.find(key);
  if (it == items_.end() || !NeedsLook(it->second)) {
    return done(ReconcileResult::Done());
  }
  Page(key, "", PodTally(), done);
}

void PodInspector::Page(const std::string& key, const std::string& continue_token, PodTally tally,
                        const KeyedQueue::Done& done) {
  const Item& item = items_.at(key);
  kube::ResourceType pods;
  pods.version = "v1";
  pods.kind = "Pod";
  pods.plural = "pods";
  pods.namespaced = true;
  client_.List(pods, item.work->ref().namespace_(), item.observed->pod_selector, kPodPage,
               continue_token,
               [this, key, tally = std::move(tally), done, alive = executor_.alive()](
                   const absl::Status& status, const Json* list) mutable {
                 if (alive.expired()) return;
                 if (!status.ok()) return done(ReconcileResult::Retry(status));
                 const auto item = items_.find(key);
                 if (item == items_.end() || !NeedsLook(item->second))
                   return done(ReconcileResult::Done());
                 tally.Add(*list);
                 const std::string next(GetString(*list, {"metadata", "continue"}));
                 if (!next.empty() && tally.seen() < kMaxPods) {
                   return Page(key, next, std::move(tally), done);
                 }
                 SetDetail(key, item->second, tally.Summary(!next.empty()));
                 done(ReconcileResult::AgainAfter(kAgain));
               });
}

void PodInspector::SetDetail(const std::string& key, Item& item, std::string detail) {
  if (item.detail == detail) return;
  item.detail = std::move(detail);
  on_detail_(key);
}

}  // namespace sealane::agent
