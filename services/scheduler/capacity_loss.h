#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "services/scheduler/estimator.h"

namespace sealane::v1 {
class Binding;
class Placed;
}  // namespace sealane::v1

namespace sealane::scheduler {

struct CapacityLossOptions {
  // How long a cluster must lack room before replicas leave it, and the time from one round of
  // asking to the next. Zero: they never do.
  absl::Duration hold = absl::Minutes(5);
  // How long what has left counts, until heartbeats show it.
  absl::Duration relief = absl::Minutes(1);
};

// Clusters that have lost capacity: what runs or waits there asks for more than there is (free
// amounts below zero), so pods find no node. When that has lasted for the hold time, the bindings
// there give up replicas, one binding after the other, until what is missing is covered. Only who
// was asked gives up any; who could not (nothing else has room) is not asked again before the next
// round, and the next one is asked.
// Thread rule: executor thread.
class CapacityLoss {
 public:
  // The bindings in the cluster that can give way, in the order in which they have to.
  using Candidates = std::function<std::vector<std::string>(const std::string& cluster)>;
  // The binding is to be decided, now that its claims are others.
  using Ask = std::function<void(const std::string& key)>;
  CapacityLoss(Env env, CapacityLossOptions options, Candidates candidates, Ask ask);

  // What the cluster's last heartbeat says; nullptr: it went.
  void Observe(const std::string& name, const ClusterInfo* cluster);

  // How many replicas of the placement in force the binding has to give up, by cluster: as many as
  // cover what is missing there. Empty for all that were not asked.
  [[nodiscard]] std::map<std::string, int64_t> Claims(const std::string& key,
                                                      const v1::Binding& binding,
                                                      const v1::Placed& placed) const;
  // Replicas leave clusters: what is missing there is less, though heartbeats show it later.
  void Left(const std::string& key, const v1::Binding& binding, const v1::Placed& before,
            const v1::Placed& after);
  // The change did not come into force.
  void TakeBack(const std::string& key);
  // The binding was decided (or went): the next one is asked if that was not enough.
  void Settled(const std::string& key);

  // Clusters that have lacked room for longer than the hold time.
  [[nodiscard]] size_t short_of_room() const;

 private:
  struct Relief {
    AssumedLoad load;
    absl::Duration ends;
  };
  struct Cluster {
    AssumedLoad missing;  // by the last heartbeat
    bool ripe = false;
    TimerId timer = 0;
    std::deque<std::string> order;  // who is asked next in this round
    std::string current;            // who was asked and is not decided yet
    std::set<std::string> asked;    // in any round, and gave nothing yet
    std::map<std::string, Relief> relief;
  };
  // What is missing less what has left.
  [[nodiscard]] AssumedLoad Need(const Cluster& cluster) const;
  void Round(const std::string& name);
  void AskNext(Cluster& cluster);

  Env env_;
  CapacityLossOptions options_;
  Candidates candidates_;
  Ask ask_;
  std::map<std::string, Cluster> clusters_;
  ScopedExecutor executor_;
};

}  // namespace sealane::scheduler
