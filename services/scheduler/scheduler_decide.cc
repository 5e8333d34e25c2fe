// What becomes of one binding: SchedulerService::Reconcile and what it needs.

#include <map>
#include <utility>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "sealane/v1/app.pb.h"
#include "services/scheduler/failover_event.h"
#include "services/scheduler/failover_plan.h"
#include "services/scheduler/placement_event.h"
#include "services/scheduler/scheduler_service_impl.h"

namespace sealane::scheduler {

void SchedulerService::Reconcile(const std::string& key, const KeyedQueue::Done& done) {
  const Row<v1::Binding>* row = world_.bindings.Find(key);
  if (row == nullptr) {
    loss_.Settled(key);
    RemoveRow(key, done);
    return;
  }
  world_.assumed.WithdrawAll(ReservationOf(key));
  const v1::Binding& binding = row->value;
  const Row<v1::Placed>* placed = world_.placements.Find(key);
  PlanInput input{binding, placed == nullptr ? nullptr : &placed->value, world_.snapshot};
  input.groups = &world_.index;
  input.assumed = &world_.assumed.loads();
  input.now_micros = ToMicros(env_.clock.Now());
  input.accurate = world_.AccurateFor(binding);
  input.accurate_now = env_.clock.Monotonic();
  input.rebalance_micros = world_.rebalancers.TriggeredFor(binding);
  const auto failback = world_.failback.find(key);
  if (failback != world_.failback.end()) input.failback = &failback->second;

  input.failover_limit = options_.failover_limit;
  input.failback_spread = options_.failback_spread;
  if (world_.FailsOver(key)) FollowApps();

  std::map<std::string, int64_t> claims;
  if (placed != nullptr) claims = loss_.Claims(key, binding, placed->value);
  if (!claims.empty()) input.capacity_lost = &claims;

  const absl::Duration begin = env_.clock.Monotonic();
  auto [plan, failovers] = PlanWithFailover(input, world_.FindApp(key), world_.apps_known());
  metrics_.decision_seconds.Observe(absl::ToDoubleSeconds(env_.clock.Monotonic() - begin));

  if (plan.failback.empty()) {
    world_.failback.erase(key);
  } else {
    world_.failback[key] = std::move(plan.failback);
  }
  if (plan.write && WaitForCapacity(key, binding, plan)) {
    done(ReconcileResult::Done());
    return;
  }
  if (plan.write && !MayLeave(key, binding, plan.row, failovers)) {
    done(ReconcileResult::Done());
    return;
  }
  if (plan.cause.empty()) {
    metrics_.unchanged.Increment();
  } else {
    metrics_.Decided(plan.outcome).Increment();
  }
  if (plan.again_at_micros > 0) {
    wakes_.At(key, plan.again_at_micros, input.now_micros);
  }
  if (plan.moved && placed != nullptr) loss_.Left(key, binding, placed->value, plan.row);
  loss_.Settled(key);
  if (!plan.write) {
    done(ReconcileResult::Done());
    return;
  }
  for (v1::Event& event : failovers) {
    CounterOf(event).Increment();
    events_.Emit(std::move(event));
  }
  Write(key, binding, std::move(plan), done);
}

bool SchedulerService::MayLeave(const std::string& key, const v1::Binding& binding,
                                const v1::Placed& row, const std::vector<v1::Event>& failovers) {
  for (const v1::Event& event : failovers) {
    if (event.reason() != kClusterFailoverEvent) continue;
    std::vector<Pace::Target> targets;
    for (const v1::Eviction& eviction : row.evictions()) {
      if (eviction.cluster() != event.cluster()) continue;
      for (const std::string& name : eviction.replaced_by()) {
        const ClusterInfo* cluster = world_.snapshot.Find(name);
        targets.emplace_back(name, cluster == nullptr ? 0 : cluster->free_pods);
      }
    }
    // Of several at once the first one counts.
    return pace_.MayLeave(key, binding.schedule_priority(), event.cluster(), targets);
  }
  return true;
}

void SchedulerService::FollowApps() {
  world_.FollowApps([this](const std::string& key) { queue_.Add(key); });
}

Counter& SchedulerService::CounterOf(const v1::Event& failover) {
  if (failover.reason() == kClusterFailoverEvent) return metrics_.cluster_failovers;
  return failover.reason() == kFailoverHeldEvent ? metrics_.held : metrics_.failovers;
}

bool SchedulerService::WaitForCapacity(const std::string& key, const v1::Binding& binding,
                                       const Plan& plan) {
  // Once; who has not answered by then is decided without.
  if (waited_.erase(key) > 0 || plan.unknown_capacity.empty() || !plan.moved) return false;
  const bool waits = asker_.Ask(key, binding, plan.unknown_capacity);
  if (!waits) return false;
  metrics_.capacity_waits.Increment();
  // Until then its room is kept for it: those behind it in the queue are decided meanwhile.
  const Row<v1::Placed>* placed = world_.placements.Find(key);
  world_.assumed.Follow(ReservationOf(key), Request(binding),
                        placed == nullptr ? nullptr : &placed->value, plan.row,
                        env_.clock.Monotonic());
  CountAssumed();
  return true;
}

void SchedulerService::RemoveRow(const std::string& key, const KeyedQueue::Done& done) {
  if (world_.placements.Find(key) == nullptr) {
    done(ReconcileResult::Done());
    return;
  }
  world_.placements.Remove(key, [done](const absl::StatusOr<uint64_t>& revision) {
    done(revision.ok() ? ReconcileResult::Done() : ReconcileResult::Retry(revision.status()));
  });
}

void SchedulerService::Write(const std::string& key, const v1::Binding& binding, Plan plan,
                             const KeyedQueue::Done& done) {
  const Row<v1::Placed>* row = world_.placements.Find(key);
  const uint64_t expected = row == nullptr ? 0 : row->revision;
  const v1::Placed* before = row == nullptr ? nullptr : &row->value;
  AssumedCapacity::Given given;
  if (plan.moved) {
    given = world_.assumed.Follow(key, Request(binding), before, plan.row, env_.clock.Monotonic());
    CountAssumed();
    metrics_.moves.Increment();
    metrics_.evictions.Increment(static_cast<double>(plan.evicted));
  }
  if (v1::Event event; EventOf(before, plan, &event)) events_.Emit(std::move(event));
  // At once, so that the next decision about a workload of the same group sees it.
  world_.index.SetPlaced(key, &plan.row);
  const absl::Duration begin = env_.clock.Monotonic();
  const bool copies_stay = plan.row.evictions_size() > 0;
  if (copies_stay) FollowApps();
  world_.placements.PutIf(
      key, std::move(plan.row), expected,
      [this, key, begin, done, copies_stay,
       given = std::move(given)](const absl::StatusOr<uint64_t>& revision) {
        if (revision.ok()) {
          metrics_.writes.Increment();
          metrics_.placement_seconds.Observe(absl::ToDoubleSeconds(env_.clock.Monotonic() - begin));
          // What was said of its health while it was written concerned nobody.
          if (copies_stay) queue_.Add(key);
          done(ReconcileResult::Done());
          return;
        }
        // It is not in force: nothing was given away.
        world_.assumed.TakeBack(key, given, env_.clock.Monotonic());
        loss_.TakeBack(key);
        const Row<v1::Placed>* now = world_.placements.Find(key);
        world_.index.SetPlaced(key, now == nullptr ? nullptr : &now->value);
        if (absl::IsAborted(revision.status())) {
          metrics_.conflicts.Increment();
          done(ReconcileResult::Retry(revision.status()));
        } else {
          log_.Error("a placement cannot be written",
                     {{"key", key}, {"error", std::string(ToStd(revision.status().message()))}});
          done(ReconcileResult::Terminal(revision.status()));
        }
      });
}

}  // namespace sealane::scheduler
