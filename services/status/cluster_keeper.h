#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/bus/bus.h"
#include "lib/bus/table.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/reconcile/keyed_queue.h"
#include "lib/telemetry/log.h"
#include "sealane/v1/cluster.pb.h"
#include "services/status/app_status.h"
#include "services/status/leases.h"
#include "services/status/options.h"
#include "services/status/status_metrics.h"
#include "services/status/taints.h"

namespace sealane {

namespace v1 {
class Event;
}  // namespace v1

namespace status {

using PublishEvent = std::function<void(v1::Event event)>;

// Keeps the rows of `cluster_status`: registers clusters, hears their heartbeats, judges their
// leases, and writes what changed. Thread rule: the executor thread only.
class ClusterKeeper {
 public:
  // `on_word`: the applications in that cluster must be looked at again, because its readiness
  // changed or it came or went.
  ClusterKeeper(Env env, Bus& bus, const Options& options, StatusMetrics& metrics,
                PublishEvent publish, std::function<void(const std::string& cluster)> on_word);

  // Follows its table and the heartbeats. `on_synced` once.
  void Start(std::function<void()> on_synced);
  // From here on rows are written.
  void Run();

  // The Cluster object was applied; nullopt: it is gone.
  void SetRegistered(const std::string& name, std::optional<v1::ClusterStatus> registered);
  // A ClusterTaintPolicy was applied; nullopt: it is gone.
  void SetTaintPolicy(const std::string& name, std::optional<TaintPolicy> policy);

  // How far the objects placed in a cluster are; asked for again and again while it is joining.
  void SetProgress(const std::string& name, int64_t placed, int64_t healthy);
  // Clusters that have been ready but never had everything healthy.
  [[nodiscard]] std::vector<std::string> Joining() const;

  [[nodiscard]] ClusterWord Word(std::string_view name) const;
  // Age of the last heartbeat in seconds; -1: none in this process' life.
  [[nodiscard]] double HeartbeatAge(std::string_view name) const;
  // Rows in force, by name.
  [[nodiscard]] const Table<v1::ClusterStatus>& rows() const { return rows_; }
  [[nodiscard]] bool Registered(std::string_view name) const { return clusters_.count(name) > 0; }
  // No row waits to be written.
  [[nodiscard]] bool idle() const { return rows_.in_flight() == 0 && (!running_ || queue_.idle()); }
  void UpdateMetrics();

 private:
  struct Cluster {
    v1::ClusterStatus registered;
    std::unique_ptr<ClusterLease> lease;
    std::unique_ptr<v1::Heartbeat> heartbeat;  // the last one
    int64_t heard_micros = 0;
    int64_t well_micros = 0;  // see TaintInput
    int64_t placed = -1;      // when everything was healthy at the last look; else -1
    std::string settled;      // see ClusterInput
    absl::Duration written_at = -absl::InfiniteDuration();
    absl::Duration check_at = absl::InfiniteDuration();
  };

  // The last heartbeat of a cluster that is not registered: it counts when the Cluster object comes
  // within one lease, so that joining does not wait for the next one.
  struct Stranger {
    BusMessage message;
    absl::Duration heard_at;
  };

  void OnHeartbeat(const BusMessage& message);
  void Remember(const std::string& name, const BusMessage& message);
  [[nodiscard]] bool IsOld(const Cluster& cluster, const v1::ClusterStatus* row,
                           const v1::Heartbeat& heartbeat) const;
  void Reconcile(const std::string& name);
  void RemoveRow(const std::string& name);
  void Write(const std::string& name, Cluster& cluster, v1::ClusterStatus row);
  void TellChange(const std::string& name, std::optional<Readiness> before,
                  const v1::ClusterStatus& row);
  void TellFailover(const v1::ClusterStatus* before, const v1::ClusterStatus& row);
  void UpdateStorm();
  // The cluster must be judged again at that (monotonic) time.
  void CheckAt(const std::string& name, Cluster& cluster, absl::Duration when);
  void ArmTimer();
  void OnTimer();
  [[nodiscard]] const v1::ClusterStatus* RowOf(std::string_view name) const;
  void Tell(std::string_view type, std::string_view reason, std::string_view cluster,
            std::string message);

  Env env_;
  Bus& bus_;
  Options options_;
  StatusMetrics& metrics_;
  PublishEvent publish_;
  std::function<void(const std::string&)> on_word_;
  Logger log_{"status"};
  std::map<std::string, Cluster, std::less<>> clusters_;
  std::map<std::string, Stranger, std::less<>> strangers_;  // bounded
  std::vector<TaintPolicy> policies_;                       // sorted by creation, then name
  std::set<std::pair<absl::Duration, std::string>> checks_;
  TimerId timer_ = 0;
  absl::Duration timer_at_ = absl::InfiniteDuration();
  bool storm_ = false;
  bool running_ = false;
  Table<v1::ClusterStatus> rows_;
  KeyedQueue queue_;
  ScopedExecutor executor_;
  std::unique_ptr<Subscription> heartbeats_;
};

}  // namespace status
}  // namespace sealane
