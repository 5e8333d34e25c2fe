#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "services/scheduler/estimator.h"

namespace sealane::v1 {
class Placed;
}  // namespace sealane::v1

namespace sealane::scheduler {

// What one replica takes of a cluster; for a workload of several templates, what the whole takes.
// Nothing (no pods) for what is no workload.
[[nodiscard]] AssumedLoad UnitOf(const Request& request);

// Adds `count` units to a load (negative: takes away).
void AddUnits(AssumedLoad& load, const AssumedLoad& unit, int64_t count);

// Capacity that was given away a moment ago and that heartbeats do not show yet. Each promise holds
// for a fixed time: by then the replicas are pods, and counted by the cluster itself.
// Thread rule: executor thread.
class AssumedCapacity {
 public:
  explicit AssumedCapacity(absl::Duration lifetime) : lifetime_(lifetime) {}

  // `on_freed(cluster)`: a promise was withdrawn or made smaller before its time, so others may use
  // the room, though no heartbeat will tell.
  void OnFreed(std::function<void(const std::string& cluster)> on_freed) {
    on_freed_ = std::move(on_freed);
  }

  // The binding was given `count` units more in the cluster. A new promise for the same binding and
  // cluster adds to the old one and renews it. Negative: it was given fewer, or a promise is taken
  // back.
  void Promise(const std::string& binding, const std::string& cluster, const AssumedLoad& unit,
               int64_t count, absl::Duration now);
  // What was promised for one change of a placement.
  struct Given {
    AssumedLoad unit;
    std::vector<std::pair<std::string, int64_t>> clusters;  // and units more
  };
  // Promises what `after` gives beyond `before` (nullptr: there was none), and withdraws what is
  // left.
  Given Follow(const std::string& binding, const Request& request, const v1::Placed* before,
               const v1::Placed& after, absl::Duration now);
  // The change did not come into force.
  void TakeBack(const std::string& binding, const Given& given, absl::Duration now);
  // The binding left the cluster, or went.
  void Withdraw(const std::string& binding, const std::string& cluster);
  void WithdrawAll(const std::string& binding);
  // Forgets what is older than the lifetime; true when there was any. In a cluster of which
  // `in_touch` says no, nothing would show the replicas: promises there last another lifetime.
  bool Expire(absl::Duration now, const std::function<bool(const std::string& cluster)>& in_touch);

  [[nodiscard]] const AssumedLoads& loads() const { return loads_; }
  [[nodiscard]] size_t size() const { return count_; }

 private:
  struct Entry {
    AssumedLoad unit;
    int64_t count = 0;
    absl::Duration ends;
  };
  void Take(const std::string& cluster, const Entry& entry);
  void Freed(const std::string& cluster) const {
    if (on_freed_) on_freed_(cluster);
  }

  absl::Duration lifetime_;
  std::function<void(const std::string&)> on_freed_;
  std::map<std::string, std::map<std::string, Entry>> promises_;  // binding -> cluster
  AssumedLoads loads_;
  size_t count_ = 0;
};

}  // namespace sealane::scheduler
