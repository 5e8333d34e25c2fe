#include "services/scheduler/simulate.h"

#include <algorithm>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "services/scheduler/plan.h"

namespace sealane::scheduler {
namespace {

constexpr char kDrainTaint[] = "sealane.io/drain";

absl::StatusOr<v1::ClusterStatus> FindCluster(const World& world, const WhatIf& what,
                                              const std::string& name) {
  for (const v1::ClusterStatus& cluster : what.clusters) {
    if (cluster.name() == name) return cluster;
  }
  const Row<v1::ClusterStatus>* row = world.cluster_rows.Find(EncodeToken(name));
  if (row == nullptr) return InvalidArgument(StrCat("cluster ", name, " is not known"));
  return row->value;
}

absl::StatusOr<Snapshot> Imagine(const World& world, const WhatIf& what) {
  Snapshot snapshot = world.snapshot;
  for (const v1::ClusterStatus& cluster : what.clusters) snapshot.Set(cluster);
  for (const std::string& name : what.drain) {
    SEALANE_ASSIGN_OR_RETURN(v1::ClusterStatus cluster, FindCluster(world, what, name));
    v1::Taint* taint = cluster.add_taints();
    taint->set_key(kDrainTaint);
    taint->set_effect("NoExecute");
    snapshot.Set(cluster);
  }
  for (const std::string& name : what.fail) {
    SEALANE_RETURN_IF_ERROR(FindCluster(world, what, name).status());
    snapshot.Remove(name);
  }
  return snapshot;
}

// Bindings in the order in which the service would take them.
std::vector<std::pair<std::string, const v1::Binding*>> InOrder(const World& world,
                                                                const WhatIf& what) {
  std::map<std::string, const v1::Binding*> by_key;
  for (const auto& [key, row] : world.bindings.rows()) by_key[key] = &row.value;
  for (const v1::Binding& binding : what.bindings) by_key[RowKey(binding.ref())] = &binding;
  std::vector<std::pair<std::string, const v1::Binding*>> order(by_key.begin(), by_key.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second->schedule_priority() > b.second->schedule_priority();
  });
  return order;
}

std::map<std::string, int64_t> TargetsOf(const v1::Placed& placed) {
  std::map<std::string, int64_t> targets;
  for (const v1::TargetCluster& target : placed.clusters()) {
    targets[target.name()] = target.replicas();
  }
  return targets;
}

void Count(const std::map<std::string, int64_t>& targets, std::map<std::string, int64_t>& sums) {
  for (const auto& entry : targets) sums[entry.first] += entry.second;
}

}  // namespace

absl::StatusOr<Simulation> Simulate(const World& world, const WhatIf& what, int64_t now_micros) {
  SEALANE_ASSIGN_OR_RETURN(const Snapshot snapshot, Imagine(world, what));
  AssumedLoads assumed = world.assumed.loads();
  Simulation simulation;
  for (const auto& entry : InOrder(world, what)) {
    const v1::Binding& binding = *entry.second;
    const Row<v1::Placed>* row = world.placements.Find(entry.first);
    const v1::Placed none;
    const v1::Placed& before = row == nullptr ? none : row->value;
    PlanInput input{binding, row == nullptr ? nullptr : &row->value, snapshot};
    input.groups = &world.index;
    input.assumed = &assumed;
    input.now_micros = now_micros;
    input.rebalance_micros = world.rebalancers.TriggeredFor(binding);
    const Plan plan = PlanPlacement(input);
    ++simulation.looked_at;

    SimulatedMove move;
    move.before = TargetsOf(before);
    move.after = TargetsOf(plan.row);
    move.state = plan.row.state();
    Count(move.before, simulation.replicas_before);
    Count(move.after, simulation.replicas_after);
    const bool failed = !plan.cause.empty() && plan.outcome != Outcome::kScheduled;
    if (failed) ++simulation.unscheduled;
    if (!plan.moved && !failed) continue;
    const Request request(binding);
    for (const auto& target : move.after) {
      const auto had = move.before.find(target.first);
      const int64_t more = target.second - (had == move.before.end() ? 0 : had->second);
      if (request.workload && more != 0) AddLoad(assumed[target.first], request.request, more);
    }
    move.ref = binding.ref();
    move.message = plan.row.message();
    move.cause = plan.cause;
    simulation.moves.push_back(std::move(move));
  }
  return simulation;
}

}  // namespace sealane::scheduler
