#include "services/status/cluster_keeper.h"

#include <algorithm>

#include "lib/bus/subjects.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/model/identity.h"
#include "sealane/v1/app.pb.h"
#include "sealane/v1/common.pb.h"
#include "services/status/cluster_view.h"
#include "services/status/conditions.h"

namespace sealane::status {
namespace {

constexpr size_t kMaxStrangers = 1000;

bool HasFailoverTaint(const v1::ClusterStatus& row) {
  return std::any_of(row.taints().begin(), row.taints().end(),
                     [](const v1::Taint& taint) { return taint.source() == "failover"; });
}

}  // namespace

ClusterKeeper::ClusterKeeper(Env env, Bus& bus, const Options& options, StatusMetrics& metrics,
                             PublishEvent publish,
                             std::function<void(const std::string& cluster)> on_word)
    : env_(env),
      bus_(bus),
      options_(options),
      metrics_(metrics),
      publish_(std::move(publish)),
      on_word_(std::move(on_word)),
      rows_(bus, env, kClusterStatusTable),
      queue_(env, {.name = "clusters"},
             [this](const std::string& name, KeyedQueue::Done done) {
               Reconcile(name);
               done(ReconcileResult::Done());
             }),
      executor_(env.executor) {}

void ClusterKeeper::Start(std::function<void()> on_synced) {
  rows_.Start([](const std::string&) {}, std::move(on_synced));
  heartbeats_ =
      bus_.Subscribe(hub::kHeartbeats, [this](const BusMessage& message) { OnHeartbeat(message); });
}

void ClusterKeeper::Run() {
  running_ = true;
  for (const auto& entry : clusters_) queue_.Add(entry.first);
  for (const auto& entry : rows_.rows()) {
    if (const auto name = DecodeToken(entry.first); name.ok()) queue_.Add(*name);
  }
  UpdateStorm();
  queue_.Start();
}

const v1::ClusterStatus* ClusterKeeper::RowOf(std::string_view name) const {
  const auto* row = rows_.Find(EncodeToken(name));
  return row == nullptr ? nullptr : &row->value;
}

void ClusterKeeper::SetRegistered(const std::string& name,
                                  std::optional<v1::ClusterStatus> registered) {
  if (!registered.has_value()) {
    const auto it = clusters_.find(name);
    if (it == clusters_.end()) return;
    checks_.erase({it->second.check_at, name});
    clusters_.erase(it);
    on_word_(name);
  } else {
    Cluster& cluster = clusters_[name];
    // Registered anew: what the earlier cluster of this name said does not count.
    if (cluster.registered.uid() != registered->uid()) {
      cluster.lease.reset();
      cluster.heartbeat.reset();
      cluster.well_micros = 0;
      cluster.settled.clear();
    }
    cluster.registered = *std::move(registered);
  }
  if (const auto it = strangers_.find(name); it != strangers_.end() && Registered(name)) {
    const Stranger stranger = std::move(it->second);
    strangers_.erase(it);
    const bool fresh = env_.clock.Monotonic() - stranger.heard_at < options_.lease.lease;
    if (fresh && clusters_.at(name).heartbeat == nullptr) OnHeartbeat(stranger.message);
  }
  UpdateStorm();
  queue_.Add(name);
}

void ClusterKeeper::SetTaintPolicy(const std::string& name, std::optional<TaintPolicy> policy) {
  std::erase_if(policies_, [&](const TaintPolicy& known) { return known.name == name; });
  if (policy.has_value()) policies_.push_back(*std::move(policy));
  std::sort(policies_.begin(), policies_.end(), [](const TaintPolicy& a, const TaintPolicy& b) {
    return std::tie(a.created_micros, a.name) < std::tie(b.created_micros, b.name);
  });
  for (const auto& entry : clusters_) queue_.Add(entry.first);
}

std::vector<std::string> ClusterKeeper::Joining() const {
  std::vector<std::string> names;
  for (const auto& entry : rows_.rows()) {
    const v1::ClusterStatus& row = entry.second.value;
    const v1::Condition* settled = FindCondition(row, kSettledCondition);
    if (settled != nullptr && settled->status() == "False") names.push_back(row.name());
  }
  return names;
}

void ClusterKeeper::SetProgress(const std::string& name, int64_t placed, int64_t healthy) {
  const auto it = clusters_.find(name);
  const v1::ClusterStatus* row = RowOf(name);
  if (it == clusters_.end() || row == nullptr) return;
  Cluster& cluster = it->second;
  const int64_t before = std::exchange(cluster.placed, healthy == placed ? placed : -1);
  // Twice the same, so that a cluster to which things are still being added does not count as done.
  if (placed == 0 || healthy < placed || before != placed) return;
  const v1::Condition* joining = FindCondition(*row, kSettledCondition);
  const int64_t since = joining == nullptr ? 0 : joining->last_transition_micros();
  const absl::Duration took = env_.clock.Now() - FromMicros(since);
  cluster.settled = StrCat(placed, " of ", placed, " placed objects are healthy, ",
                           absl::FormatDuration(absl::Trunc(took, absl::Seconds(1))),
                           " after the cluster became ready");
  Tell("Normal", "ClusterJoined", name, cluster.settled);
  queue_.Add(name);
}

ClusterWord ClusterKeeper::Word(std::string_view name) const {
  ClusterWord word;
  word.registered = Registered(name);
  if (const v1::ClusterStatus* row = RowOf(name); row != nullptr) {
    word.readiness = ReadinessOf(*row).value_or(Readiness::kUnknown);
    word.last_heartbeat_micros = row->last_heartbeat_micros();
  }
  return word;
}

double ClusterKeeper::HeartbeatAge(std::string_view name) const {
  const auto it = clusters_.find(name);
  if (it == clusters_.end() || it->second.lease == nullptr || !it->second.lease->heard()) return -1;
  return absl::ToDoubleSeconds(env_.clock.Monotonic() - it->second.lease->heard_at());
}

void ClusterKeeper::Remember(const std::string& name, const BusMessage& message) {
  if (strangers_.size() >= kMaxStrangers && strangers_.count(name) == 0) return;
  strangers_[name] = {message, env_.clock.Monotonic()};
}

bool ClusterKeeper::IsOld(const Cluster& cluster, const v1::ClusterStatus* row,
                          const v1::Heartbeat& heartbeat) const {
  if (cluster.heartbeat != nullptr) {
    const v1::Heartbeat& known = *cluster.heartbeat;
    return std::pair(heartbeat.incarnation(), heartbeat.counter()) <=
           std::pair(known.incarnation(), known.counter());
  }
  return row != nullptr && row->uid() == cluster.registered.uid() &&
         heartbeat.incarnation() < row->agent_incarnation();
}

void ClusterKeeper::OnHeartbeat(const BusMessage& message) {
  auto heartbeat = std::make_unique<v1::Heartbeat>();
  if (!heartbeat->ParseFromString(message.payload)) {
    metrics_.heartbeats_malformed.Increment();
    return;
  }
  const std::string name = hub::ClusterOf(message.subject);
  if (heartbeat->cluster() != name) {
    metrics_.heartbeats_wrong_cluster.Increment();
    return;
  }
  const auto it = clusters_.find(name);
  if (it == clusters_.end()) {
    metrics_.heartbeats_unknown_cluster.Increment();
    Remember(name, message);
    return;
  }
  Cluster& cluster = it->second;
  const v1::ClusterStatus* row = RowOf(name);
  if (IsOld(cluster, row, *heartbeat)) {
    metrics_.heartbeats_stale.Increment();
    return;
  }
  metrics_.heartbeats_accepted.Increment();
  const absl::Duration now = env_.clock.Monotonic();
  if (cluster.lease == nullptr && rows_.synced()) {
    const bool same = row != nullptr && row->uid() == cluster.registered.uid();
    cluster.lease =
        std::make_unique<ClusterLease>(options_.lease, now, same ? ReadinessOf(*row) : std::nullopt,
                                       same && row->last_heartbeat_micros() != 0);
  }
  if (cluster.lease != nullptr) {
    cluster.lease->Heard(now, heartbeat->api_healthy(), absl::Seconds(heartbeat->lease_seconds()));
  }
  cluster.heard_micros = ToMicros(env_.clock.Now());
  if (heartbeat->api_healthy()) cluster.well_micros = cluster.heard_micros;
  cluster.heartbeat = std::move(heartbeat);
  queue_.Add(name);
}

void ClusterKeeper::Reconcile(const std::string& name) {
  const auto it = clusters_.find(name);
  if (it == clusters_.end()) {
    RemoveRow(name);
    return;
  }
  Cluster& cluster = it->second;
  const absl::Duration now = env_.clock.Monotonic();
  const int64_t now_micros = ToMicros(env_.clock.Now());
  const v1::ClusterStatus* row = RowOf(name);
  const v1::ClusterStatus* previous =
      row != nullptr && row->uid() == cluster.registered.uid() ? row : nullptr;
  const std::optional<Readiness> before =
      previous != nullptr ? ReadinessOf(*previous) : std::nullopt;
  if (cluster.lease == nullptr) {
    cluster.lease = std::make_unique<ClusterLease>(
        options_.lease, now, before, previous != nullptr && previous->last_heartbeat_micros() != 0);
    // It spoke before our view was complete.
    if (cluster.heartbeat != nullptr) {
      cluster.lease->Heard(now, cluster.heartbeat->api_healthy(),
                           absl::Seconds(cluster.heartbeat->lease_seconds()));
    }
  }
  const Readiness readiness = cluster.lease->Judge(now);
  v1::ClusterStatus wanted =
      BuildClusterStatus(options_.failover, {.registered = cluster.registered,
                                             .previous = previous,
                                             .heartbeat = cluster.heartbeat.get(),
                                             .heard_micros = cluster.heard_micros,
                                             .readiness = readiness,
                                             .storm = storm_,
                                             .well_micros = cluster.well_micros,
                                             .settled = cluster.settled,
                                             .default_models = options_.default_resource_models,
                                             .policies = policies_,
                                             .now_micros = now_micros});

  absl::Duration next = cluster.lease->NextChange();
  if (const int64_t taints = NextTaintChangeMicros(options_.failover, wanted, cluster.well_micros);
      taints > now_micros) {
    next = std::min(next, now + absl::Microseconds(taints - now_micros));
  }
  CheckAt(name, cluster, next);

  const ClusterChange change =
      previous == nullptr ? ClusterChange::kMajor : CompareClusters(*previous, wanted);
  if (change == ClusterChange::kNone) return;
  if (const absl::Duration wait = cluster.written_at + options_.capacity_interval - now;
      change == ClusterChange::kMinor && wait > absl::ZeroDuration()) {
    queue_.AddAfter(name, wait);
    return;
  }
  TellFailover(previous, wanted);
  const bool readiness_changed = before != readiness;
  if (readiness_changed) TellChange(name, before, wanted);
  Write(name, cluster, std::move(wanted));
  if (readiness_changed) {
    on_word_(name);
    UpdateStorm();
  }
}

void ClusterKeeper::RemoveRow(const std::string& name) {
  if (RowOf(name) == nullptr) return;
  metrics_.cluster_writes.Increment();
  rows_.Remove(EncodeToken(name), [this, name](const absl::StatusOr<uint64_t>& result) {
    if (result.ok()) return;
    metrics_.cluster_write_errors.Increment();
    queue_.AddAfter(name, absl::Seconds(1));
  });
  Tell("Normal", "ClusterUnregistered", name, "the cluster is no longer registered");
  on_word_(name);
  UpdateStorm();
}

void ClusterKeeper::Write(const std::string& name, Cluster& cluster, v1::ClusterStatus row) {
  cluster.written_at = env_.clock.Monotonic();
  metrics_.cluster_writes.Increment();
  rows_.Put(EncodeToken(name), std::move(row),
            [this, name](const absl::StatusOr<uint64_t>& result) {
              if (result.ok()) return;
              metrics_.cluster_write_errors.Increment();
              log_.Warn("a cluster's status could not be written",
                        {{"cluster", name}, {"error", result.status().ToString()}});
              queue_.AddAfter(name, absl::Seconds(1));
            });
}

void ClusterKeeper::TellChange(const std::string& name, std::optional<Readiness> before,
                               const v1::ClusterStatus& row) {
  const v1::Condition* ready = FindCondition(row, kReadyCondition);
  const Readiness readiness = ReadinessOf(row).value_or(Readiness::kUnknown);
  // A cluster that has just been registered and has not spoken yet is not news.
  if (!before.has_value() && readiness == Readiness::kUnknown) return;
  metrics_.readiness_changes.Increment();
  log_.Info("readiness changed",
            {{"cluster", name}, {"ready", ready->status()}, {"reason", ready->reason()}});
  switch (readiness) {
    case Readiness::kTrue:
      Tell("Normal", "ClusterReady", name, ready->message());
      return;
    case Readiness::kFalse:
      Tell("Warning", "ClusterNotReady", name, ready->message());
      return;
    case Readiness::kUnknown:
      Tell("Warning", "ClusterLost", name, ready->message());
      return;
  }
}

void ClusterKeeper::TellFailover(const v1::ClusterStatus* before, const v1::ClusterStatus& row) {
  const bool had = before != nullptr && HasFailoverTaint(*before);
  const bool has = HasFailoverTaint(row);
  if (had == has) return;
  if (has) {
    Tell("Warning", "FailoverStarted", row.name(),
         StrCat("not ready for ", absl::FormatDuration(options_.failover.after),
                ": its applications move to other clusters"));
  } else {
    Tell("Normal", "FailoverEnded", row.name(),
         storm_ ? "too many clusters are not ready" : "the cluster is ready again");
  }
}

void ClusterKeeper::UpdateStorm() {
  if (!running_) return;
  size_t not_ready = 0;
  size_t total = 0;
  for (const auto& entry : clusters_) {
    // A cluster whose agent has never spoken says nothing about our network.
    const v1::ClusterStatus* row = RowOf(entry.first);
    if (row == nullptr || row->last_heartbeat_micros() == 0) continue;
    ++total;
    if (ReadinessOf(*row) != Readiness::kTrue) ++not_ready;
  }
  const bool storm = options_.failover.enabled && IsStorm(options_.failover, not_ready, total);
  if (storm == storm_) return;
  storm_ = storm;
  metrics_.failover_storm.Set(storm ? 1 : 0);
  if (storm) {
    Tell("Warning", "FailoverPaused", "",
         StrCat(not_ready, " of ", total,
                " clusters are not ready: the fault is likely on this side, nothing is moved"));
  } else {
    Tell("Normal", "FailoverResumed", "",
         StrCat(total - not_ready, " of ", total, " clusters are ready again"));
  }
  for (const auto& entry : clusters_) queue_.Add(entry.first);
}

void ClusterKeeper::CheckAt(const std::string& name, Cluster& cluster, absl::Duration when) {
  if (cluster.check_at == when) return;
  checks_.erase({cluster.check_at, name});
  cluster.check_at = when;
  if (when != absl::InfiniteDuration()) checks_.emplace(when, name);
  ArmTimer();
}

void ClusterKeeper::ArmTimer() {
  const absl::Duration first = checks_.empty() ? absl::InfiniteDuration() : checks_.begin()->first;
  // A timer that fires too early only looks and is armed again.
  if (timer_ != 0 && timer_at_ <= first) return;
  if (timer_ != 0) executor_.Cancel(timer_);
  timer_ = 0;
  timer_at_ = first;
  if (first == absl::InfiniteDuration()) return;
  timer_ = executor_.After(first - env_.clock.Monotonic(), [this] { OnTimer(); });
}

void ClusterKeeper::OnTimer() {
  timer_ = 0;
  timer_at_ = absl::InfiniteDuration();
  const absl::Duration now = env_.clock.Monotonic();
  while (!checks_.empty() && checks_.begin()->first <= now) {
    const std::string name = checks_.begin()->second;
    checks_.erase(checks_.begin());
    if (const auto it = clusters_.find(name); it != clusters_.end()) {
      it->second.check_at = absl::InfiniteDuration();
    }
    queue_.Add(name);
  }
  ArmTimer();
}

void ClusterKeeper::UpdateMetrics() {
  size_t ready = 0;
  size_t not_ready = 0;
  size_t unknown = 0;
  size_t failover = 0;
  for (const auto& entry : clusters_) {
    const v1::ClusterStatus* row = RowOf(entry.first);
    const Readiness readiness =
        row == nullptr ? Readiness::kUnknown : ReadinessOf(*row).value_or(Readiness::kUnknown);
    if (readiness == Readiness::kTrue) ++ready;
    if (readiness == Readiness::kFalse) ++not_ready;
    if (readiness == Readiness::kUnknown) ++unknown;
    if (row != nullptr && HasFailoverTaint(*row)) ++failover;
  }
  metrics_.clusters_by_condition.at("ready")->Set(static_cast<double>(ready));
  metrics_.clusters_by_condition.at("not_ready")->Set(static_cast<double>(not_ready));
  metrics_.clusters_by_condition.at("unknown")->Set(static_cast<double>(unknown));
  metrics_.failover_clusters.Set(static_cast<double>(failover));
  metrics_.cluster_queue_depth.Set(static_cast<double>(queue_.stats().waiting));
  metrics_.cluster_queue_age.Set(absl::ToDoubleSeconds(queue_.oldest_wait()));
}

void ClusterKeeper::Tell(std::string_view type, std::string_view reason, std::string_view cluster,
                         std::string message) {
  v1::Event event;
  event.set_type(std::string(type));
  event.set_reason(std::string(reason));
  event.set_cluster(std::string(cluster));
  event.set_message(std::move(message));
  publish_(std::move(event));
}

}  // namespace sealane::status
