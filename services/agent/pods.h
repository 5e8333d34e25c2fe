#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/kube_client.h"
#include "lib/reconcile/keyed_queue.h"
#include "services/agent/item.h"

namespace sealane::agent {

// Why a pod is not ready, as one word and, where there are any, the kubelet's or scheduler's words:
// {"ImagePullBackOff", "Back-off pulling image \"web:2\""}. Empty for a pod that is ready, finished
// or just starting.
struct PodTrouble {
  std::string reason;
  std::string message;
};
[[nodiscard]] PodTrouble TroubleOf(const Json& pod);

// "ImagePullBackOff (Back-off pulling image \"web:2\")"; "" for none. The message is cut.
[[nodiscard]] std::string DescribeTrouble(const PodTrouble& trouble);

// The pods of one workload, page by page; of each it keeps only why it is not ready.
class PodTally {
 public:
  // `list` is a PodList. Pods that are being deleted count for nothing.
  void Add(const Json& list);
  // How many were added, those that count for nothing included.
  [[nodiscard]] int seen() const { return seen_; }
  // In a line: "2 of 3 pods: ImagePullBackOff (Back-off pulling image \"web:2\"); 1 of 3 pods:
  // Unschedulable (...)". "" when none is in trouble. `more`: there are pods that were not added.
  [[nodiscard]] std::string Summary(bool more) const;

 private:
  int seen_ = 0;
  int pods_ = 0;
  // reason -> count, first message
  std::map<std::string, std::pair<int, std::string>> troubles_;
};

// Looks at the pods of workloads that are not healthy and writes what is wrong into their items. It
// asks for the pods that the workload's selector names, 100 at a time and 1,000 at most, and keeps
// none.
// Thread rule: the executor thread.
class PodInspector {
 public:
  // `on_detail` is told when an item's detail changed.
  PodInspector(Env env, kube::KubeClient& client, Items& items,
               std::function<void(const std::string& key)> on_detail);
  // The observed state of this item changed.
  void ItemChanged(const std::string& key);
  // A pod in trouble was seen in this namespace.
  void PodChanged(std::string_view ns);
  void Start() { queue_.Start(); }

 private:
  void Inspect(const std::string& key, const KeyedQueue::Done& done);
  void Page(const std::string& key, const std::string& continue_token, PodTally tally,
            const KeyedQueue::Done& done);
  void SetDetail(const std::string& key, Item& item, std::string detail);

  kube::KubeClient& client_;
  Items& items_;
  std::function<void(const std::string&)> on_detail_;
  std::map<std::string, std::string, std::less<>> unhealthy_;  // key -> namespace
  KeyedQueue queue_;
  ScopedExecutor executor_;
};

}  // namespace sealane::agent
