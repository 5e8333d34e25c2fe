#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/bus/event_sink.h"
#include "lib/bus/query.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/strings.h"
#include "lib/reconcile/keyed_queue.h"
#include "lib/runtime/leader_lease.h"
#include "lib/runtime/service.h"
#include "lib/telemetry/log.h"
#include "services/scheduler/capacity_asker.h"
#include "services/scheduler/capacity_loss.h"
#include "services/scheduler/options.h"
#include "services/scheduler/pace.h"
#include "services/scheduler/plan.h"
#include "services/scheduler/scheduler_metrics.h"
#include "services/scheduler/timers.h"
#include "services/scheduler/world.h"

// Private to scheduler_service.cc and scheduler_decide.cc.
namespace sealane::scheduler {

// Under which name room is kept for a binding that waits for agents; no binding's key.
inline std::string ReservationOf(const std::string& key) { return StrCat("waits:", key); }

// Follows the tables and queues what a change concerns; decides about each of it, and writes what
// differs. Thread rule: the context's executor.
class SchedulerService final : public Service {
 public:
  SchedulerService(ServiceContext context, Options options);
  void Start() override;
  bool Ready(std::string* why_not) const override;
  void Retire(std::function<void()> done) override;
  bool Idle() const override;

 private:
  [[nodiscard]] KeyedQueueOptions QueueOptions();

  void OnTableSynced();
  void SetLeading(bool leading);
  void WorkIfPossible();
  void OnBinding(const std::string& key);
  void OnPlacement(const std::string& key);
  void OnCluster(const std::string& key);
  // The cluster has other room than before: some may use it.
  void RoomChanged(const std::string& cluster);
  using Find = void (BindingIndex::*)(const ClusterInfo& cluster,
                                      const BindingIndex::Add& add) const;
  void AskThose(const std::string& cluster, Find find);
  void OnRebalancer(const std::string& key);
  // `replay`: see World::Rebalance.
  void Rebalance(const v1::StoredObject& object, bool replay);
  void RetryWaitingRegularly();
  // What is assumed has changed; it ends by itself.
  void CountAssumed();
  void UpdateGauges();

  // --- In scheduler_decide.cc: what becomes of one binding

  void Reconcile(const std::string& key, const KeyedQueue::Done& done);
  void RemoveRow(const std::string& key, const KeyedQueue::Done& done);
  void Write(const std::string& key, const v1::Binding& binding, Plan plan,
             const KeyedQueue::Done& done);
  // True when the plan waits for agents to count; it is made again then.
  bool WaitForCapacity(const std::string& key, const v1::Binding& binding, const Plan& plan);
  // False when it has to wait for its turn to leave a tainted cluster.
  bool MayLeave(const std::string& key, const v1::Binding& binding, const v1::Placed& row,
                const std::vector<v1::Event>& failovers);
  // From now on the health of what may move is known.
  void FollowApps();
  Counter& CounterOf(const v1::Event& failover);

  ScopedExecutor executor_;
  Env env_;
  Bus& bus_;
  int bus_replicas_;
  Options options_;
  SchedulerMetrics metrics_;
  Logger log_{"scheduler"};
  EventSink events_;
  World world_;
  KeyedQueue queue_;
  CapacityAsker asker_;
  CapacityLoss loss_;
  // Clusters whose room changed, gathered until those are looked at that may use it.
  Gathering room_;  // what waits
  Gathering back_;  // what may return to an earlier group
  Pace pace_;
  Wakes wakes_;
  std::set<std::string> waited_;  // bindings that have waited for agents once
  std::unique_ptr<LeaderLease> lease_;
  std::unique_ptr<QueryServer> queries_;
  TimerId assume_timer_ = 0;
  int tables_synced_ = 0;
  bool synced_ = false;
  bool leading_ = false;
};

}  // namespace sealane::scheduler
