#include "services/scheduler/placed_rows.h"

#include <algorithm>

#include "lib/model/same_message.h"
#include "services/scheduler/schedule.h"

namespace sealane::scheduler {

Targets TargetsOf(const v1::Placed& placed) {
  Targets targets;
  for (const v1::TargetCluster& target : placed.clusters()) {
    targets[target.name()] = target.replicas();
  }
  return targets;
}

void SetTargets(const Targets& targets, v1::Placed& placed) {
  placed.clear_clusters();
  for (const auto& [name, replicas] : targets) {
    v1::TargetCluster* target = placed.add_clusters();
    target->set_name(name);
    target->set_replicas(replicas);
  }
}

void WantNothing(const v1::Binding& binding, v1::Placed& placed) {
  if (binding.replicas() != 0 || binding.components_size() > 0) return;
  for (v1::TargetCluster& target : *placed.mutable_clusters()) target.set_replicas(0);
}

bool SameDecision(const v1::Placed& a, const v1::Placed& b) {
  return TargetsOf(a) == TargetsOf(b) && a.state() == b.state() &&
         (a.message() == b.message() || a.state() == Name(Outcome::kScheduled)) &&
         a.failover_generation() == b.failover_generation() &&
         a.failover_since_micros() == b.failover_since_micros() &&
         a.failover_held() == b.failover_held() &&
         std::equal(a.evictions().begin(), a.evictions().end(), b.evictions().begin(),
                    b.evictions().end(), SameMessage<v1::Eviction>);
}

v1::Placed WithoutDetails(v1::Placed row) {
  row.clear_decisions();
  row.clear_scheduled_micros();
  row.clear_last_scheduled_micros();
  if (row.state() == Name(Outcome::kScheduled)) row.clear_message();
  return row;
}

}  // namespace sealane::scheduler
