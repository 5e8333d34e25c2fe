#include "services/scheduler/scheduler_service.h"

#include <utility>

#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "services/scheduler/placement_event.h"
#include "services/scheduler/queries.h"
#include "services/scheduler/scheduler_service_impl.h"

namespace sealane::scheduler {
namespace {

// Placements whose writes may be under way at once.
constexpr int kMaxWrites = 4096;
constexpr absl::Duration kGaugeInterval = absl::Seconds(5);
// How long reports of capacity are gathered before objects in a later group look whether an earlier
// one could take them back.
constexpr absl::Duration kFailbackDelay = absl::Seconds(30);

CapacityAskerOptions AskerOptions(const Options& options) {
  CapacityAskerOptions asker;
  if (options.capacity_wait > absl::ZeroDuration()) asker.wait = options.capacity_wait;
  return asker;
}

}  // namespace

SchedulerService::SchedulerService(ServiceContext context, Options options)
    : executor_(context.env.executor),
      env_{context.env.clock, executor_, context.env.random},
      bus_(context.bus),
      bus_replicas_(context.bus_replicas),
      options_(options),
      metrics_(context.metrics),
      events_(context.bus, env_, "scheduler"),
      world_(context.bus, env_, options.assume_for),
      queue_(env_, QueueOptions(),
             [this](const std::string& key, KeyedQueue::Done done) { Reconcile(key, done); }),
      asker_(env_, context.bus, AskerOptions(options),
             [this](const std::string& key) {
               waited_.insert(key);
               queue_.Add(key);
             }),
      loss_(
          env_, {options.capacity_lost_after, options.assume_for},
          [this](const std::string& cluster) { return world_.GivingWay(cluster); },
          [this](const std::string& key) { queue_.Add(key); }),
      room_(env_, options.capacity_delay,
            [this](const std::string& name) { AskThose(name, &BindingIndex::WaitingFor); }),
      back_(env_, kFailbackDelay,
            [this](const std::string& name) { AskThose(name, &BindingIndex::AwayFrom); }),
      pace_(env_, options.pace, [this](const std::string& key) { queue_.Add(key); }),
      wakes_(env_, [this](const std::string& key) { queue_.Add(key); }) {
  if (options_.capacity_wait > absl::ZeroDuration()) {
    world_.accurate = [this](const v1::Binding& binding) -> const AccurateAnswers* {
      if (!Request::CountsCapacity(binding)) return nullptr;
      return &asker_.Answers(CapacityAsker::ShapeOf(binding));
    };
  }
  world_.assumed.OnFreed([this](const std::string& cluster) { RoomChanged(cluster); });
  world_.accurate_now = [this] { return env_.clock.Monotonic(); };
  if (options_.elect_leader) {
    LeaderLeaseOptions lease;
    lease.service = "scheduler";
    lease.instance = context.instance;
    lease.replicas = context.bus_replicas;
    lease_ = std::make_unique<LeaderLease>(
        context.bus, env_, lease, [this] { SetLeading(true); }, [this] { SetLeading(false); });
  }
}

KeyedQueueOptions SchedulerService::QueueOptions() {
  KeyedQueueOptions options;
  options.name = "schedule";
  options.max_active = kMaxWrites;
  options.max_active_per_lane = kMaxWrites;
  options.priority_of = [this](std::string_view key) -> int64_t {
    const Row<v1::Binding>* row = world_.bindings.Find(key);
    return row == nullptr ? 0 : row->value.schedule_priority();
  };
  return options;
}

void SchedulerService::Retire(std::function<void()> done) {
  if (lease_ == nullptr) {
    done();
  } else {
    lease_->Release(std::move(done));
  }
}

bool SchedulerService::Idle() const {
  if (!synced_) return false;
  if (!leading_) return true;  // another process works
  return queue_.idle() && !room_.pending() && world_.placements.in_flight() == 0 &&
         asker_.waiting() == 0 && pace_.waiting() == 0;
}

void SchedulerService::Start() {
  StreamConfig config;
  config.name = std::string(kPlacementsTable);
  config.subjects = {StrCat(kPlacementsTable, ".>")};
  config.replicas = bus_replicas_;
  bus_.EnsureStream(config, [this](const absl::Status& status) {
    if (!status.ok()) {
      log_.Error("stream placements cannot be made",
                 {{"error", std::string(ToStd(status.message()))}});
    }
  });
  const auto synced = [this] { OnTableSynced(); };
  world_.bindings.Start([this](const std::string& key) { OnBinding(key); }, synced);
  world_.cluster_rows.Start([this](const std::string& key) { OnCluster(key); }, synced);
  world_.placements.Start([this](const std::string& key) { OnPlacement(key); }, synced);
  world_.rebalancer_rows.Start([this](const std::string& key) { OnRebalancer(key); }, synced);
  queries_ = std::make_unique<QueryServer>(
      bus_, hub::Query("scheduler"),
      [this](const v1::QueryRequest& request, const std::shared_ptr<QueryAnswer>& answer) {
        if (!synced_) {
          answer->Fail("the scheduler is still reading its tables; ask again in a moment");
          return;
        }
        AnswerQuery(world_, ToMicros(env_.clock.Now()), request, *answer);
      });
  if (lease_ != nullptr) {
    lease_->Start();
  } else {
    SetLeading(true);
  }
  RetryWaitingRegularly();
  UpdateGauges();
}

void SchedulerService::OnTableSynced() {
  constexpr int kTables = 4;
  if (++tables_synced_ < kTables) return;
  synced_ = true;
  log_.Info("synced", {{"bindings", StrCat(world_.bindings.size())},
                       {"clusters", StrCat(world_.cluster_rows.size())},
                       {"placements", StrCat(world_.placements.size())}});
  for (const auto& [key, row] : world_.rebalancer_rows.rows()) {
    if (!row.value.deleting()) Rebalance(row.value, true);
  }
  WorkIfPossible();
}

void SchedulerService::SetLeading(bool leading) {
  leading_ = leading;
  metrics_.leader.Set(leading ? 1 : 0);
  world_.placements.SetSoleWriter(leading);
  if (leading) {
    WorkIfPossible();
  } else {
    queue_.Pause();
  }
}

void SchedulerService::WorkIfPossible() {
  if (!synced_ || !leading_) return;
  // A process that led before may have given away what no heartbeat shows yet.
  world_.AssumeRecent(ToMicros(env_.clock.Now()), env_.clock.Monotonic());
  CountAssumed();
  // What happened while another process led, or before all tables were seen, is looked at once.
  for (const auto& [key, row] : world_.bindings.rows()) queue_.Add(key);
  for (const auto& [key, row] : world_.placements.rows()) {
    if (world_.bindings.Find(key) == nullptr) queue_.Add(key);
  }
  queue_.Start();
}

void SchedulerService::OnBinding(const std::string& key) {
  const Row<v1::Binding>* row = world_.bindings.Find(key);
  // It may leave a group of workloads, so that others of the group find a place.
  world_.index.WaitingPeers(key, [this](const std::string& peer) { queue_.Add(peer); });
  if (row == nullptr) {
    world_.index.RemoveBinding(key);
    world_.assumed.WithdrawAll(key);
    world_.assumed.WithdrawAll(ReservationOf(key));
    world_.failback.erase(key);
    world_.rebalancers.Forget(key);
    asker_.Forget(key);
    waited_.erase(key);
  } else {
    world_.index.SetBinding(key, row->value);
  }
  queue_.Add(key);
}

void SchedulerService::OnPlacement(const std::string& key) {
  const Row<v1::Placed>* row = world_.placements.Find(key);
  world_.index.SetPlaced(key, row == nullptr ? nullptr : &row->value);
  world_.index.WaitingPeers(key, [this](const std::string& peer) { queue_.Add(peer); });
  // Another leader's word, or an orphan: what is already right costs nothing.
  if (row == nullptr || world_.bindings.Find(key) == nullptr) queue_.Add(key);
}

void SchedulerService::OnCluster(const std::string& key) {
  const World::ClusterChange change = world_.UpdateCluster(key);
  if (change.before != nullptr || change.after != nullptr) {
    loss_.Observe(change.after != nullptr ? change.after->name : change.before->name,
                  change.after.get());
  }
  metrics_.clusters.Set(static_cast<double>(world_.snapshot.clusters().size()));
  const bool same = change.before != nullptr && change.after != nullptr &&
                    change.before->name == change.after->name &&
                    SameForFilters(*change.before, *change.after);
  if (!same) {
    metrics_.cluster_events.Increment();
    if (change.before == nullptr && change.after == nullptr) return;
    asker_.Changed(change.before != nullptr ? change.before->name : change.after->name);
    world_.index.ConcernedBy(change.before.get(), change.after.get(),
                             [this](const std::string& concerned) {
                               metrics_.concerned.Increment();
                               queue_.Add(concerned);
                             });
    return;
  }
  metrics_.capacity_events.Increment();
  // Only a condition changed, or another word of the row: what agents counted still holds.
  if (SameCapacity(*change.before, *change.after)) return;
  asker_.Changed(change.after->name);
  RoomChanged(change.after->name);
}

void SchedulerService::RoomChanged(const std::string& cluster) {
  if (world_.index.waiting() > 0) room_.Add(cluster);
  if (world_.index.away() > 0) back_.Add(cluster);
}

void SchedulerService::AskThose(const std::string& cluster, Find find) {
  const ClusterInfo* info = world_.snapshot.Find(cluster);
  if (info == nullptr) return;
  (world_.index.*find)(*info, [this](const std::string& key) {
    metrics_.concerned.Increment();
    queue_.Add(key);
  });
}

void SchedulerService::OnRebalancer(const std::string& key) {
  const Row<v1::StoredObject>* row = world_.rebalancer_rows.Find(key);
  // Which objects there are is known when all tables are read: then all are looked at.
  if (row == nullptr || row->value.deleting() || !synced_) return;
  Rebalance(row->value, false);
}

void SchedulerService::Rebalance(const v1::StoredObject& object, bool replay) {
  const auto rebalancer = ParseRebalancer(object);
  World::Rebalanced rebalanced;
  if (rebalancer.ok()) rebalanced = world_.Rebalance(*rebalancer, replay);
  for (const std::string& key : rebalanced.keys) queue_.Add(key);
  // Told once, by the process that acts on it.
  if (replay || !leading_) return;
  events_.Emit(
      RebalanceEvent(object, rebalancer.status(), rebalanced.keys.size(), rebalanced.not_found));
}

void SchedulerService::RetryWaitingRegularly() {
  env_.executor.After(options_.retry_every, [this] {
    world_.index.Waiting([this](const std::string& key) { queue_.Add(key); });
    RetryWaitingRegularly();
  });
}

void SchedulerService::CountAssumed() {
  metrics_.assumed.Set(static_cast<double>(world_.assumed.size()));
  if (assume_timer_ != 0 || world_.assumed.size() == 0) return;
  assume_timer_ = env_.executor.After(options_.assume_for / 4, [this] {
    assume_timer_ = 0;
    const auto in_touch = [this](const std::string& cluster) {
      const ClusterInfo* info = world_.snapshot.Find(cluster);
      return info == nullptr || !info->out_of_touch;
    };
    if (world_.assumed.Expire(env_.clock.Monotonic(), in_touch)) {
      world_.index.Waiting([this](const std::string& key) { queue_.Add(key); });
    }
    CountAssumed();
  });
}

void SchedulerService::UpdateGauges() {
  env_.executor.After(kGaugeInterval, [this] { UpdateGauges(); });
  metrics_.bindings.Set(static_cast<double>(world_.bindings.size()));
  metrics_.short_of_room.Set(static_cast<double>(loss_.short_of_room()));
  metrics_.pace_waiting.Set(static_cast<double>(pace_.waiting()));
  metrics_.unscheduled.Set(static_cast<double>(world_.index.waiting()));
  const CapacityAskerStats& asked = asker_.stats();
  const auto catch_up = [](Counter& counter, uint64_t value) {
    counter.Increment(static_cast<double>(value) - counter.Value());
  };
  catch_up(metrics_.capacity_requests, asked.requests);
  catch_up(metrics_.capacity_silent, asked.silent);
  metrics_.queue_depth.Set(static_cast<double>(queue_.stats().waiting));
  metrics_.queue_age.Set(absl::ToDoubleSeconds(queue_.oldest_wait()));
}

bool SchedulerService::Ready(std::string* why_not) const {
  if (!synced_) *why_not = StrCat("tables not synced yet: ", 4 - tables_synced_, " of 4 missing");
  return synced_;
}

std::unique_ptr<Service> MakeSchedulerService(ServiceContext context, Options options) {
  return std::make_unique<SchedulerService>(context, options);
}

}  // namespace sealane::scheduler
