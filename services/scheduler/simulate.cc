#include "services/scheduler/simulate.h"

#include <algorithm>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/identity.h"
#include "services/scheduler/failover_plan.h"
#include "services/scheduler/placed_rows.h"
#include "services/scheduler/plan.h"

namespace sealane::scheduler {
namespace {

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
    SEALANE_RETURN_IF_ERROR(FindCluster(world, what, name).status());
    snapshot.Drain(name);
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

void Count(const std::map<std::string, int64_t>& targets, std::map<std::string, int64_t>& sums) {
  for (const auto& entry : targets) sums[entry.first] += entry.second;
}

bool IsUnfit(const std::string& state) {
  return state == Name(Outcome::kNoClusterFit) || state == Name(Outcome::kUnschedulable) ||
         state == Name(Outcome::kError);
}

// Whether the question is about this binding or about a cluster where it is.
bool Concerns(const WhatIf& what, const std::string& key,
              const std::map<std::string, int64_t>& targets) {
  const auto in_use = [&](const std::string& name) { return targets.contains(name); };
  return std::any_of(what.drain.begin(), what.drain.end(), in_use) ||
         std::any_of(what.fail.begin(), what.fail.end(), in_use) ||
         std::any_of(what.bindings.begin(), what.bindings.end(),
                     [&](const v1::Binding& binding) { return RowKey(binding.ref()) == key; });
}

class Simulator {
 public:
  Simulator(const World& world, const Snapshot& snapshot, int64_t now_micros)
      : world_(world),
        snapshot_(snapshot),
        now_micros_(now_micros),
        assumed_(world.assumed.loads()) {}

  Simulation Run(const WhatIf& what) {
    const auto order = InOrder(world_, what);
    for (const auto& [key, binding] : order) {
      State& state = states_[key];
      state.binding = binding;
      const Row<v1::Placed>* row = world_.placements.Find(key);
      if (row != nullptr) state.row = row->value;
      state.has_row = row != nullptr;
      state.before = TargetsOf(state.row);
      state.unfit_before = IsUnfit(state.row.state()) && !Concerns(what, key, state.before);
      // Only groups are asked of this index: most bindings need not be in it.
      const v1::WorkloadAffinity& groups = binding->placement().workload_affinity();
      if (!groups.has_affinity() && !groups.has_anti_affinity()) continue;
      index_.SetBinding(key, *binding);
      index_.SetPlaced(key, state.has_row ? &state.row : nullptr);
    }
    std::vector<std::string> again;
    for (const auto& entry : order) {
      if (!Decide(entry.first)) again.push_back(entry.first);
    }
    // The others have left room behind.
    for (const std::string& key : again) Decide(key);

    Simulation simulation;
    simulation.looked_at = static_cast<int64_t>(order.size());
    for (const auto& cluster : world_.snapshot.clusters()) simulation.clusters[cluster->name];
    for (const auto& cluster : snapshot_.clusters()) simulation.clusters[cluster->name];
    for (const auto& entry : order) Tell(states_[entry.first], simulation);
    return simulation;
  }

 private:
  struct State {
    const v1::Binding* binding = nullptr;
    v1::Placed row;
    bool has_row = false;
    bool moved = false;
    bool failed = false;
    bool unfit_before = false;
    std::string cause;
    std::map<std::string, int64_t> before;
  };

  // False when it would not fit.
  bool Decide(const std::string& key) {
    State& state = states_[key];
    const v1::Binding& binding = *state.binding;
    const auto was = TargetsOf(state.row);
    if (binding.deleting()) {
      // It would leave: the row goes with the binding.
      state.moved = !was.empty();
      state.cause = "deleted";
      state.row.clear_clusters();
      Take(binding, was, {});
      return true;
    }
    PlanInput input{binding, state.has_row ? &state.row : nullptr, snapshot_};
    input.groups = &index_;
    input.assumed = &assumed_;
    input.accurate = world_.AccurateFor(binding);
    if (world_.accurate_now) input.accurate_now = world_.accurate_now();
    input.now_micros = now_micros_;
    input.rebalance_micros = world_.rebalancers.TriggeredFor(binding);
    input.settled = true;
    Plan plan = PlanWithFailover(input, nullptr, false).plan;
    state.failed = !plan.cause.empty() && plan.outcome != Outcome::kScheduled;
    state.moved = state.moved || plan.moved;
    if (plan.moved || state.failed) state.cause = plan.cause;
    if (!plan.moved && !plan.write) return !state.failed;
    Take(binding, was, TargetsOf(plan.row));
    state.row = std::move(plan.row);
    state.has_row = true;
    if (plan.moved) index_.SetPlaced(key, &state.row);
    return !state.failed;
  }

  // What moved is counted at once, as heartbeats would show it later.
  void Take(const v1::Binding& binding, const std::map<std::string, int64_t>& was,
            const std::map<std::string, int64_t>& is) {
    const Request request(binding);
    if (!request.workload) return;
    std::map<std::string, int64_t> more = is;
    for (const auto& entry : was) more[entry.first] -= entry.second;
    for (const auto& entry : more) {
      if (entry.second != 0) AddLoad(assumed_[entry.first], request.request, entry.second);
    }
  }

  static void Tell(const State& state, Simulation& simulation) {
    const auto after = TargetsOf(state.row);
    Count(state.before, simulation.replicas_before);
    Count(after, simulation.replicas_after);
    for (const auto& entry : state.before) {
      simulation.clusters[entry.first].replicas_before += entry.second;
      ++simulation.clusters[entry.first].objects_before;
    }
    for (const auto& entry : after) {
      simulation.clusters[entry.first].replicas_after += entry.second;
      ++simulation.clusters[entry.first].objects_after;
    }
    const bool unfit_before = state.failed && state.unfit_before;
    if (state.failed) ++(unfit_before ? simulation.unfit_before : simulation.unscheduled);
    if (!state.moved && !state.failed) return;
    SimulatedMove move;
    move.ref = state.binding->ref();
    move.before = state.before;
    move.after = after;
    move.state = state.row.state().empty() ? "Scheduled" : state.row.state();
    move.message = state.row.message();
    move.cause = state.cause;
    move.unfit_before = unfit_before;
    simulation.moves.push_back(std::move(move));
  }

  const World& world_;
  const Snapshot& snapshot_;
  const int64_t now_micros_;
  AssumedLoads assumed_;
  BindingIndex index_;  // of workload groups, as they would be
  std::map<std::string, State> states_;
};

}  // namespace

absl::StatusOr<Simulation> Simulate(const World& world, const WhatIf& what, int64_t now_micros) {
  SEALANE_ASSIGN_OR_RETURN(const Snapshot snapshot, Imagine(world, what));
  return Simulator(world, snapshot, now_micros).Run(what);
}

}  // namespace sealane::scheduler
