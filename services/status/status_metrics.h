#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/telemetry/metrics.h"

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
  Gauge& works;
  // From an agent's report to the durable row of the application that shows it.
  Histogram& report_to_app_status;
  // From the acceptance of a generation to the moment when all its clusters are healthy.
  Histogram& deploy_to_healthy;
  std::map<std::string, Gauge*, std::less<>> clusters_by_condition;
  std::map<std::string, Gauge*, std::less<>> apps_by_phase;
};

// Gauges with a label per cluster, which come and go with the clusters.
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
  };
  // `heartbeat_age_seconds` below zero: never heard.
  void Set(const v1::ClusterStatus& cluster, double heartbeat_age_seconds, const Works& works);
  void Remove(std::string_view cluster);

 private:
  struct Series {
    std::string name;
    Labels labels;
    Gauge* gauge;
  };
  void Put(std::string_view cluster, std::string_view name, std::string_view help, Labels labels,
           double value);

  Registry& registry_;
  std::map<std::string, std::map<std::string, Series, std::less<>>, std::less<>> series_;
};

}  // namespace status
}  // namespace sealane
