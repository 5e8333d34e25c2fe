#include "services/scheduler/placed_rows.h"

#include <algorithm>

#include "lib/model/same_message.h"
#include "services/scheduler/schedule.h"

namespace sealane::scheduler {

Targets TargetsOf(const google::protobuf::RepeatedPtrField<v1::TargetCluster>& clusters) {
  Targets targets;
  for (const v1::TargetCluster& target : clusters) targets[target.name()] = target.replicas();
  return targets;
}

Targets TargetsOf(const v1::Placed& placed) { return TargetsOf(placed.clusters()); }

void SetTargets(const Targets& targets,
                google::protobuf::RepeatedPtrField<v1::TargetCluster>* clusters) {
  clusters->Clear();
  for (const auto& [name, replicas] : targets) {
    v1::TargetCluster* target = clusters->Add();
    target->set_name(name);
    target->set_replicas(static_cast<int32_t>(replicas));
  }
}

void SetTargets(const Targets& targets, v1::Placed& placed) {
  SetTargets(targets, placed.mutable_clusters());
}

Targets TargetsWithoutCopies(const v1::Placed& placed) {
  Targets targets = TargetsOf(placed);
  for (const v1::Eviction& eviction : placed.evictions()) {
    // What nothing has taken over from is no copy.
    const auto it = targets.find(eviction.cluster());
    if (eviction.replaced_by().empty() || it == targets.end()) continue;
    if (eviction.planned() == 0) {
      targets.erase(it);
    } else {
      it->second = eviction.planned();
    }
  }
  return targets;
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
