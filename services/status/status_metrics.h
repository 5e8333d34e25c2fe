#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "lib/telemetry/metrics.h"
#include "services/status/rollout.h"

namespace sealane {

namespace v1 {
class ClusterStatus;
}  // namespace v1

namespace status {

// The metrics of the status service. Labels are clusters and fixed words, never applications.
// Thread rule: the executor thread, except the handles.
struct StatusMetrics {
  explicit StatusMetrics(Registry& registry);

  // By what became of them.
  Counter& heartbeats_accepted;
  Counter& heartbeats_stale;
  Counter& heartbeats_unknown_cluster;
  Counter& heartbeats_wrong_cluster;
  Counter& heartbeats_malformed;
  Counter& words_accepted;
  Counter& words_stale;
  Counter& words_wrong_cluster;
  Counter& app_writes;
  Counter& app_write_errors;
  Counter& app_unchanged;
  Counter& cluster_writes;
  Counter& cluster_write_errors;
  Counter& readiness_changes;
  Gauge& failover_storm;
  Gauge& failover_clusters;
  Gauge& app_queue_depth;
  Gauge& app_queue_age;
  Gauge& cluster_queue_depth;
  Gauge& cluster_queue_age;
  Gauge& works;
  // From an agent's report to the durable row of the application that shows it.
  Histogram& report_to_app_status;
  // From the acceptance of a generation to the moment when all its clusters are healthy.
  Histogram& deploy_to_healthy;
  // By RolloutStep: from the step before.
  std::array<Histogram*, kRolloutSteps> rollout_steps;
  std::map<std::string, Gauge*, std::less<>> clusters_by_condition;
  std::map<std::string, Gauge*, std::less<>> apps_by_phase;

  // What is told by the leader alone is told by this process no more.
  void ForgetFleet();
};

// Metrics with a label per cluster, which come and go with the clusters.
class ClusterGauges {
 public:
  explicit ClusterGauges(Registry& registry) : registry_(registry) {}

  struct Works {
    int64_t applied = 0;
    int64_t failed = 0;
    int64_t removing = 0;
    int64_t unhealthy = 0;
    int64_t replicas_wanted = 0;
    int64_t replicas_ready = 0;
    std::map<std::string, int64_t, std::less<>> failed_by_reason;
  };
  // `heartbeat_age_seconds` below zero: never heard. `drift_repairs`: since the last call.
  void Set(const v1::ClusterStatus& cluster, double heartbeat_age_seconds, const Works& works,
           int64_t drift_repairs);
  void Remove(std::string_view cluster);

 private:
  struct Series {
    std::string name;
    Labels labels;
    Gauge* gauge;  // nullptr: a counter
  };
  void Put(std::string_view cluster, std::string_view name, std::string_view help, Labels labels,
           double value);
  // Those of an earlier call that are not told any more become 0.
  void PutReasons(const std::string& cluster, const Works& works);

  Registry& registry_;
  std::map<std::string, std::map<std::string, Series, std::less<>>, std::less<>> series_;
};

}  // namespace status
}  // namespace sealane
