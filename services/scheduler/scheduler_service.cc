#include "services/scheduler/scheduler_service.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "lib/bus/event_sink.h"
#include "lib/bus/query.h"
#include "lib/bus/subjects.h"
#include "lib/core/scoped_executor.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/identity.h"
#include "lib/reconcile/keyed_queue.h"
#include "lib/runtime/leader_lease.h"
#include "lib/telemetry/log.h"
#include "sealane/v1/app.pb.h"
#include "services/scheduler/capacity_asker.h"
#include "services/scheduler/plan.h"
#include "services/scheduler/queries.h"
#include "services/scheduler/scheduler_metrics.h"
#include "services/scheduler/world.h"

namespace sealane::scheduler {
namespace {

// Placements whose writes may be under way at once.
constexpr int kMaxWrites = 4096;
constexpr absl::Duration kGaugeInterval = absl::Seconds(5);

// "aws-virginia=2, tencent-shanghai=4", shortened.
std::string DescribeClusters(const v1::Placed& placed) {
  constexpr int kShown = 10;
  std::vector<std::string> parts;
  for (int i = 0; i < placed.clusters_size() && i < kShown; ++i) {
    const v1::TargetCluster& target = placed.clusters(i);
    parts.push_back(target.replicas() == 0 ? target.name()
                                           : StrCat(target.name(), "=", target.replicas()));
  }
  if (placed.clusters_size() > kShown) {
    parts.push_back(StrCat("and ", placed.clusters_size() - kShown, " more"));
  }
  return parts.empty() ? "no cluster" : StrJoin(parts, ", ");
}

class SchedulerService final : public Service {
 public:
  SchedulerService(ServiceContext context, Options options)
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
        asker_(env_, context.bus, AskerOptions(options), [this](const std::string& key) {
          waited_.insert(key);
          queue_.Add(key);
        }) {
    if (options_.capacity_wait > absl::ZeroDuration()) {
      world_.accurate = [this](const v1::Binding& binding) -> const AccurateAnswers* {
        if (!Request::CountsCapacity(binding)) return nullptr;
        return &asker_.Answers(CapacityAsker::ShapeOf(binding));
      };
    }
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

  void Start() override;
  bool Ready(std::string* why_not) const override;
  void Retire(std::function<void()> done) override {
    if (lease_ == nullptr) {
      done();
    } else {
      lease_->Release(std::move(done));
    }
  }
  bool Idle() const override {
    if (!synced_) return false;
    if (!leading_) return true;  // another process works
    return queue_.idle() && capacity_timer_ == 0 && world_.placements.in_flight() == 0 &&
           asker_.waiting() == 0;
  }

 private:
  static CapacityAskerOptions AskerOptions(const Options& options) {
    CapacityAskerOptions asker;
    if (options.capacity_wait > absl::ZeroDuration()) asker.wait = options.capacity_wait;
    return asker;
  }
  KeyedQueueOptions QueueOptions() {
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

  void OnTableSynced();
  void SetLeading(bool leading);
  void WorkIfPossible();
  void OnBinding(const std::string& key);
  void OnPlacement(const std::string& key);
  void OnCluster(const std::string& key);
  void OnRebalancer(const std::string& key);
  void RetryWaitingRegularly();
  void ExpireAssumptions();

  void Reconcile(const std::string& key, const KeyedQueue::Done& done);
  void RemoveRow(const std::string& key, const KeyedQueue::Done& done);
  void Write(const std::string& key, const v1::Binding& binding, Plan plan,
             const KeyedQueue::Done& done);
  // What was promised for the change: cluster, replicas more.
  using Promises = std::vector<std::pair<std::string, int64_t>>;
  Promises Assume(const std::string& key, const v1::Binding& binding, const v1::Placed* before,
                  const v1::Placed& after);
  // A process that led before may have given away what no heartbeat shows yet.
  void AssumeRecent();
  // True when the plan waits for agents to count; it is made again then.
  bool WaitForCapacity(const std::string& key, const v1::Binding& binding, const Plan& plan);
  void Report(const v1::Placed* before, const Plan& plan);
  // Looks at the binding again at that time, whatever happens.
  void WakeAt(const std::string& key, int64_t at_micros, int64_t now_micros);
  void UpdateGauges();

  struct Wake {
    int64_t at_micros = 0;
    TimerId timer = 0;
  };

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
  std::set<std::string> waited_;  // bindings that have waited for agents once
  std::unique_ptr<LeaderLease> lease_;
  std::unique_ptr<QueryServer> queries_;
  std::set<std::string> changed_capacity_;  // clusters, since the last retry
  std::map<std::string, Wake> wakes_;
  TimerId capacity_timer_ = 0;
  TimerId assume_timer_ = 0;
  int tables_synced_ = 0;
  bool synced_ = false;
  bool leading_ = false;
};

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
  AssumeRecent();
  // What happened while another process led, or before all tables were seen, is looked at once.
  for (const auto& [key, row] : world_.bindings.rows()) queue_.Add(key);
  for (const auto& [key, row] : world_.placements.rows()) {
    if (world_.bindings.Find(key) == nullptr) queue_.Add(key);
  }
  queue_.Start();
}

void SchedulerService::OnBinding(const std::string& key) {
  const Row<v1::Binding>* row = world_.bindings.Find(key);
  if (row == nullptr) {
    world_.index.RemoveBinding(key);
    world_.assumed.WithdrawAll(key);
    world_.failback_since_micros.erase(key);
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
  if (world_.index.waiting() == 0) return;
  changed_capacity_.insert(change.after->name);
  if (capacity_timer_ != 0) return;
  capacity_timer_ = env_.executor.After(options_.capacity_delay, [this] {
    capacity_timer_ = 0;
    for (const std::string& name : std::exchange(changed_capacity_, {})) {
      const ClusterInfo* cluster = world_.snapshot.Find(name);
      if (cluster == nullptr) continue;
      world_.index.WaitingFor(*cluster, [this](const std::string& waiting) {
        metrics_.concerned.Increment();
        queue_.Add(waiting);
      });
    }
  });
}

void SchedulerService::OnRebalancer(const std::string& key) {
  const Row<v1::StoredObject>* row = world_.rebalancer_rows.Find(key);
  const absl::Status status = world_.rebalancers.Set(key, row == nullptr ? nullptr : &row->value);
  if (!status.ok()) {
    events_.Emit(
        "Warning", "RebalancerRefused",
        StrCat("WorkloadRebalancer ", row->value.ref().name(), ": ", ToStd(status.message())));
    return;
  }
  const Rebalancer* rebalancer = world_.rebalancers.Find(key);
  if (rebalancer == nullptr) return;
  for (const auto& [binding_key, binding] : world_.bindings.rows()) {
    if (rebalancer->Names(binding.value)) queue_.Add(binding_key);
  }
}

void SchedulerService::RetryWaitingRegularly() {
  env_.executor.After(options_.retry_every, [this] {
    world_.index.Waiting([this](const std::string& key) { queue_.Add(key); });
    RetryWaitingRegularly();
  });
}

void SchedulerService::ExpireAssumptions() {
  if (assume_timer_ != 0 || world_.assumed.size() == 0) return;
  assume_timer_ = env_.executor.After(options_.assume_for / 4, [this] {
    assume_timer_ = 0;
    if (world_.assumed.Expire(env_.clock.Monotonic())) {
      world_.index.Waiting([this](const std::string& key) { queue_.Add(key); });
    }
    metrics_.assumed.Set(static_cast<double>(world_.assumed.size()));
    ExpireAssumptions();
  });
}

void SchedulerService::Reconcile(const std::string& key, const KeyedQueue::Done& done) {
  const Row<v1::Binding>* row = world_.bindings.Find(key);
  if (row == nullptr) {
    RemoveRow(key, done);
    return;
  }
  const v1::Binding& binding = row->value;
  const Row<v1::Placed>* placed = world_.placements.Find(key);
  PlanInput input{binding, placed == nullptr ? nullptr : &placed->value, world_.snapshot};
  input.groups = &world_.index;
  input.assumed = &world_.assumed.loads();
  input.now_micros = ToMicros(env_.clock.Now());
  input.accurate = world_.AccurateFor(binding);
  input.accurate_now = env_.clock.Monotonic();
  input.rebalance_micros = world_.rebalancers.TriggeredFor(binding);
  const auto since = world_.failback_since_micros.find(key);
  if (since != world_.failback_since_micros.end()) input.failback_since_micros = since->second;

  const absl::Duration begin = env_.clock.Monotonic();
  Plan plan = PlanPlacement(input);
  metrics_.decision_seconds.Observe(absl::ToDoubleSeconds(env_.clock.Monotonic() - begin));

  if (plan.write && WaitForCapacity(key, binding, plan)) {
    done(ReconcileResult::Done());
    return;
  }
  if (!plan.failback_possible) {
    world_.failback_since_micros.erase(key);
  } else {
    world_.failback_since_micros.emplace(key, input.now_micros);
  }
  if (plan.cause.empty()) {
    metrics_.unchanged.Increment();
  } else {
    metrics_.Decided(plan.outcome).Increment();
  }
  if (plan.again_at_micros > 0) {
    WakeAt(key, plan.again_at_micros, input.now_micros);
  }
  if (!plan.write) {
    done(ReconcileResult::Done());
    return;
  }
  Write(key, binding, std::move(plan), done);
}

bool SchedulerService::WaitForCapacity(const std::string& key, const v1::Binding& binding,
                                       const Plan& plan) {
  // Once; who has not answered by then is decided without.
  if (waited_.erase(key) > 0 || plan.unknown_capacity.empty() || !plan.moved) return false;
  const bool waits = asker_.Ask(key, binding, plan.unknown_capacity);
  if (waits) metrics_.capacity_waits.Increment();
  return waits;
}

void SchedulerService::WakeAt(const std::string& key, int64_t at_micros, int64_t now_micros) {
  auto [it, added] = wakes_.try_emplace(key);
  Wake& wake = it->second;
  if (!added && wake.at_micros <= at_micros) return;
  if (!added) env_.executor.Cancel(wake.timer);
  wake.at_micros = at_micros;
  const absl::Duration wait = absl::Microseconds(std::max<int64_t>(0, at_micros - now_micros));
  wake.timer = env_.executor.After(wait + absl::Milliseconds(1), [this, key] {
    wakes_.erase(key);
    queue_.Add(key);
  });
}

void SchedulerService::RemoveRow(const std::string& key, const KeyedQueue::Done& done) {
  if (world_.placements.Find(key) == nullptr) {
    done(ReconcileResult::Done());
    return;
  }
  world_.placements.Remove(key, [done](absl::StatusOr<uint64_t> revision) {
    done(revision.ok() ? ReconcileResult::Done() : ReconcileResult::Retry(revision.status()));
  });
}

void SchedulerService::Write(const std::string& key, const v1::Binding& binding, Plan plan,
                             const KeyedQueue::Done& done) {
  const Row<v1::Placed>* row = world_.placements.Find(key);
  const uint64_t expected = row == nullptr ? 0 : row->revision;
  const v1::Placed* before = row == nullptr ? nullptr : &row->value;
  Promises promises;
  if (plan.moved) {
    promises = Assume(key, binding, before, plan.row);
    metrics_.moves.Increment();
    metrics_.evictions.Increment(static_cast<double>(plan.evicted));
  }
  Report(before, plan);
  // At once, so that the next decision about a workload of the same group sees it.
  world_.index.SetPlaced(key, &plan.row);
  const absl::Duration begin = env_.clock.Monotonic();
  world_.placements.PutIf(
      key, std::move(plan.row), expected,
      [this, key, begin, done, promises = std::move(promises),
       request = ParseResources(binding.replica_requirements().resource_request())](
          const absl::StatusOr<uint64_t>& revision) {
        if (revision.ok()) {
          metrics_.writes.Increment();
          metrics_.placement_seconds.Observe(absl::ToDoubleSeconds(env_.clock.Monotonic() - begin));
          done(ReconcileResult::Done());
          return;
        }
        // It is not in force: nothing was given away.
        for (const auto& promise : promises) {
          world_.assumed.Promise(key, promise.first, request, -promise.second,
                                 env_.clock.Monotonic());
        }
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

SchedulerService::Promises SchedulerService::Assume(const std::string& key,
                                                    const v1::Binding& binding,
                                                    const v1::Placed* before,
                                                    const v1::Placed& after) {
  Promises promises;
  const Request request(binding);
  if (!request.workload) return promises;
  const Previous old =
      before != nullptr && before->uid() == after.uid() ? Previous(before->clusters()) : Previous();
  const Previous now(after.clusters());
  for (const Previous::Entry& entry : old.entries()) {
    if (!now.Contains(entry.cluster)) world_.assumed.Withdraw(key, entry.cluster);
  }
  for (const Previous::Entry& entry : now.entries()) {
    const int64_t more = entry.replicas - std::max<int64_t>(0, old.Replicas(entry.cluster));
    world_.assumed.Promise(key, entry.cluster, request.request, more, env_.clock.Monotonic());
    if (more > 0) promises.emplace_back(entry.cluster, more);
  }
  metrics_.assumed.Set(static_cast<double>(world_.assumed.size()));
  ExpireAssumptions();
  return promises;
}

void SchedulerService::AssumeRecent() {
  const int64_t now = ToMicros(env_.clock.Now());
  for (const auto& [key, row] : world_.placements.rows()) {
    const absl::Duration age = absl::Microseconds(now - row.value.scheduled_micros());
    const Row<v1::Binding>* binding = world_.bindings.Find(key);
    if (binding == nullptr || age >= options_.assume_for || age < absl::ZeroDuration()) continue;
    world_.assumed.WithdrawAll(key);
    const ResourceList request =
        ParseResources(binding->value.replica_requirements().resource_request());
    for (const v1::TargetCluster& target : row.value.clusters()) {
      world_.assumed.Promise(key, target.name(), request, target.replicas(),
                             env_.clock.Monotonic() - age);
    }
  }
  metrics_.assumed.Set(static_cast<double>(world_.assumed.size()));
  ExpireAssumptions();
}

void SchedulerService::Report(const v1::Placed* before, const Plan& plan) {
  const v1::Placed& row = plan.row;
  const bool failed = row.state() != "Scheduled" && row.state() != "Suspended";
  const bool failed_before =
      before != nullptr && before->uid() == row.uid() && before->state() == row.state();
  v1::Event event;
  *event.mutable_ref() = row.ref();
  event.set_trace_id(row.trace_id());
  const std::string object = Describe(KeyOf(row.ref()));
  if (plan.moved) {
    const bool first =
        before == nullptr || before->uid() != row.uid() || before->clusters().empty();
    event.set_type("Normal");
    event.set_reason(first ? "Placed" : "Moved");
    event.set_message(StrCat(object, ": ", DescribeClusters(row), " (", plan.cause, ")"));
    events_.Emit(event);
  } else if (failed && !failed_before) {
    event.set_type("Warning");
    event.set_reason("Unschedulable");
    event.set_message(StrCat(object, ": ", row.state(), ": ", row.message(),
                             row.clusters().empty() ? "" : "; the last placement stays in force"));
    events_.Emit(event);
  }
}

void SchedulerService::UpdateGauges() {
  env_.executor.After(kGaugeInterval, [this] { UpdateGauges(); });
  metrics_.bindings.Set(static_cast<double>(world_.bindings.size()));
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

}  // namespace

std::unique_ptr<Service> MakeSchedulerService(ServiceContext context, Options options) {
  return std::make_unique<SchedulerService>(context, options);
}

ServiceDefinition SchedulerDefinition() {
  ServiceDefinition definition;
  definition.name = "sealane-scheduler";
  definition.writes_bursts = true;
  definition.summary = "Decides in which clusters each object runs, and says why.";
  definition.flags = OptionFlags();
  definition.make = [](const Flags& flags,
                       ServiceContext context) -> absl::StatusOr<std::unique_ptr<Service>> {
    SEALANE_ASSIGN_OR_RETURN(const Options options, ParseOptions(flags));
    return MakeSchedulerService(context, options);
  };
  return definition;
}

}  // namespace sealane::scheduler
