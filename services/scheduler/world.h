#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lib/bus/bus.h"
#include "lib/bus/table.h"
#include "lib/core/env.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/assumed.h"
#include "services/scheduler/binding_index.h"
#include "services/scheduler/plan.h"
#include "services/scheduler/rebalance.h"
#include "services/scheduler/snapshot.h"

namespace sealane::scheduler {

// Everything the scheduler knows: the tables it follows and what is derived from them.
// Thread rule: executor thread.
struct World {
  World(Bus& bus, Env env, absl::Duration assume_for);

  Table<v1::Binding> bindings;
  Table<v1::ClusterStatus> cluster_rows;
  Table<v1::Placed> placements;  // the scheduler is its writer
  Table<v1::StoredObject> rebalancer_rows;
  Table<v1::AppStatus> app_rows;  // followed from FollowApps on

  Snapshot snapshot;
  BindingIndex index;
  AssumedCapacity assumed;
  Rebalances rebalancers;
  // What agents said about the binding's shape, and the monotonic time by which it is judged; empty
  // or nullptr: they are not asked.
  std::function<const AccurateAnswers*(const v1::Binding& binding)> accurate;
  std::function<absl::Duration()> accurate_now;
  [[nodiscard]] const AccurateAnswers* AccurateFor(const v1::Binding& binding) const {
    return accurate ? accurate(binding) : nullptr;
  }
  std::map<std::string, FailbackClocks> failback;  // of bindings in a later group

  // Takes over the row of this key; tells what cluster it was about, before and after.
  struct ClusterChange {
    Snapshot::ClusterPtr before;
    Snapshot::ClusterPtr after;
  };
  ClusterChange UpdateCluster(const std::string& key);
  // Asks all that the rebalancer names among the bindings that exist. `replay`: it was made before
  // this process looked, so only those are asked whose row was not written since: the others were
  // asked by the process that led then, or were not concerned.
  struct Rebalanced {
    std::vector<std::string> keys;
    std::vector<std::string> not_found;  // for people
  };
  Rebalanced Rebalance(const Rebalancer& rebalancer, bool replay);
  // The bindings that can give up replicas when the cluster lacks room, in the order in which they
  // have to: lower schedulePriority first. Only those whose replicas are divided by room.
  [[nodiscard]] std::vector<std::string> GivingWay(const std::string& cluster) const;
  // Whether its health matters to its placement: it may fail over, or copies of it stay or return.
  [[nodiscard]] bool FailsOver(const std::string& key) const;
  // Follows app_status from now on: fleets in which nothing fails over do without. `look`: the
  // health of an object that fails over may be another.
  void FollowApps(std::function<void(const std::string& key)> look);
  [[nodiscard]] bool apps_known() const { return apps_known_; }
  [[nodiscard]] const v1::AppStatus* FindApp(const std::string& key) const;
  // Promises what placements were given so recently that heartbeats may not show it yet.
  void AssumeRecent(int64_t now_micros, absl::Duration now);

 private:
  // Whether what the status service says of it may change its placement: a part is unhealthy, or
  // an eviction waits for something.
  [[nodiscard]] bool HealthMatters(const std::string& key) const;

  absl::Duration assume_for_;
  std::map<std::string, std::string> cluster_names_;  // by row key
  bool follows_apps_ = false;
  bool apps_known_ = false;
};

}  // namespace sealane::scheduler
