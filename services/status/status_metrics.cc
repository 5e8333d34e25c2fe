#include "services/status/status_metrics.h"

#include <utility>

#include "lib/core/strings.h"
#include "lib/model/quantity.h"
#include "sealane/v1/cluster.pb.h"
#include "services/status/app_status.h"
#include "services/status/conditions.h"

namespace sealane::status {
namespace {

constexpr char kHeartbeats[] = "sealane_status_heartbeats_total";
constexpr char kHeartbeatsHelp[] = "Heartbeats received, by what became of them.";
constexpr char kWords[] = "sealane_status_work_statuses_total";
constexpr char kWordsHelp[] = "Reports of agents on works, by what became of them.";

// 100 ms ... 1 h: how long rollouts take.
const std::vector<double>& RolloutBuckets() {
  static const auto& buckets =
      *new std::vector<double>{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600};
  return buckets;
}

// 1 ms ... 1 h: how long one step takes.
const std::vector<double>& StepBuckets() {
  static const auto& buckets =
      *new std::vector<double>{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,  1,
                               2.5,   5,      10,    30,   60,    120,  300, 600,  1800, 3600};
  return buckets;
}

// The reasons that are told by themselves; an API server's webhooks may invent any others.
std::string_view KnownReason(std::string_view reason) {
  for (const std::string_view known :
       {"AlreadyExists", "BadRequest", "Conflict", "Forbidden", "InternalError", "Invalid",
        "NoKindMatch", "NotFound", "RequestEntityTooLarge", "ServiceUnavailable", "Timeout",
        "TooManyRequests", "Unauthorized", "Unavailable"}) {
    if (reason == known) return known;
  }
  return "Other";
}

double QuantityValue(const google::protobuf::Map<std::string, std::string>& map,
                     const std::string& name) {
  const auto it = map.find(name);
  if (it == map.end()) return 0;
  const auto quantity = Quantity::Parse(it->second);
  return quantity.ok() ? static_cast<double>(quantity->MilliValue()) / 1000 : 0;
}

}  // namespace

StatusMetrics::StatusMetrics(Registry& r)
    : heartbeats_accepted(r.AddCounter(kHeartbeats, kHeartbeatsHelp, {{"result", "accepted"}})),
      heartbeats_stale(r.AddCounter(kHeartbeats, kHeartbeatsHelp, {{"result", "stale"}})),
      heartbeats_unknown_cluster(
          r.AddCounter(kHeartbeats, kHeartbeatsHelp, {{"result", "unknown_cluster"}})),
      heartbeats_wrong_cluster(
          r.AddCounter(kHeartbeats, kHeartbeatsHelp, {{"result", "wrong_cluster"}})),
      heartbeats_malformed(r.AddCounter(kHeartbeats, kHeartbeatsHelp, {{"result", "malformed"}})),
      words_accepted(r.AddCounter(kWords, kWordsHelp, {{"result", "accepted"}})),
      words_stale(r.AddCounter(kWords, kWordsHelp, {{"result", "stale"}})),
      words_wrong_cluster(r.AddCounter(kWords, kWordsHelp, {{"result", "wrong_cluster"}})),
      app_writes(r.AddCounter("sealane_status_app_writes_total",
                              "Rows of app_status written or removed.")),
      app_write_errors(r.AddCounter("sealane_status_app_write_errors_total",
                                    "Writes of app_status that failed for good.")),
      app_unchanged(r.AddCounter("sealane_status_app_unchanged_total",
                                 "Applications looked at again without a change.")),
      cluster_writes(r.AddCounter("sealane_status_cluster_writes_total",
                                  "Rows of cluster_status written or removed.")),
      cluster_write_errors(r.AddCounter("sealane_status_cluster_write_errors_total",
                                        "Writes of cluster_status that failed for good.")),
      readiness_changes(r.AddCounter("sealane_status_readiness_changes_total",
                                     "Changes of a cluster's condition Ready.")),
      failover_storm(r.AddGauge("sealane_status_failover_storm",
                                "1 while failover waits because too many clusters are not ready.")),
      failover_clusters(r.AddGauge("sealane_status_failover_clusters",
                                   "Clusters from which applications are moved away.")),
      app_queue_depth(
          r.AddGauge("sealane_status_app_queue_depth", "Applications waiting to be looked at.")),
      app_queue_age(r.AddGauge("sealane_status_app_queue_age_seconds",
                               "How long the oldest of them has waited.")),
      cluster_queue_depth(
          r.AddGauge("sealane_status_cluster_queue_depth", "Clusters waiting to be looked at.")),
      cluster_queue_age(r.AddGauge("sealane_status_cluster_queue_age_seconds",
                                   "How long the oldest of them has waited.")),
      works(r.AddGauge("sealane_status_works", "Reports on works held in memory.")),
      report_to_app_status(
          r.AddHistogram("sealane_status_report_to_app_status_seconds",
                         "From an agent's report to the durable application status.")),
      deploy_to_healthy(
          r.AddHistogram("sealane_deploy_to_healthy_seconds",
                         "From the acceptance of a generation to its health in all clusters.", {},
                         RolloutBuckets())) {
  for (size_t i = 0; i < kRolloutSteps; ++i) {
    rollout_steps[i] =
        &r.AddHistogram("sealane_status_rollout_step_seconds",
                        "Steps of generations on their way, each from the one before: claimed and "
                        "placed once, the others for each cluster.",
                        {{"step", std::string(Name(static_cast<RolloutStep>(i)))}}, StepBuckets());
  }
  for (const char* condition : {"ready", "not_ready", "unknown"}) {
    clusters_by_condition[condition] = &r.AddGauge(
        "sealane_clusters", "Registered clusters by readiness.", {{"condition", condition}});
  }
  for (const std::string_view phase :
       {kPending, kScheduled, kApplying, kProgressing, kHealthy, kDegraded, kFailed, kDeleting}) {
    apps_by_phase[std::string(phase)] =
        &r.AddGauge("sealane_apps", "Applications by phase.", {{"phase", std::string(phase)}});
  }
}

void StatusMetrics::ForgetFleet() {
  for (const auto& gauges : {clusters_by_condition, apps_by_phase}) {
    for (const auto& entry : gauges) entry.second->Set(0);
  }
  for (Gauge* gauge : {&failover_storm, &failover_clusters, &app_queue_depth, &app_queue_age,
                       &cluster_queue_depth, &cluster_queue_age, &works}) {
    gauge->Set(0);
  }
}

void ClusterGauges::Put(std::string_view cluster, std::string_view name, std::string_view help,
                        Labels labels, double value) {
  labels["cluster"] = std::string(cluster);
  std::string id(name);
  for (const auto& label : labels) id = StrCat(id, "|", label.second);
  auto& of_cluster = series_[std::string(cluster)];
  auto it = of_cluster.find(id);
  if (it == of_cluster.end()) {
    Gauge& gauge = registry_.AddGauge(name, help, labels);
    it = of_cluster.emplace(std::move(id), Series{std::string(name), std::move(labels), &gauge})
             .first;
  }
  it->second.gauge->Set(value);
}

void ClusterGauges::Set(const v1::ClusterStatus& cluster, double heartbeat_age_seconds,
                        const Works& works, int64_t drift_repairs) {
  const std::string& name = cluster.name();
  const v1::Condition* ready = FindCondition(cluster, kReadyCondition);
  Put(name, "sealane_cluster_ready", "1 when the cluster's condition Ready is True.", {},
      ready != nullptr && ready->status() == "True" ? 1 : 0);
  if (heartbeat_age_seconds >= 0) {
    Put(name, "sealane_cluster_heartbeat_age_seconds", "Time since the last heartbeat.", {},
        heartbeat_age_seconds);
  }
  const v1::ResourceSummary& summary = cluster.resource_summary();
  for (const char* resource : {"cpu", "memory", "pods"}) {
    const Labels labels = {{"resource", resource}};
    Put(name, "sealane_cluster_allocatable", "Capacity of a cluster: cores, bytes or pods.", labels,
        QuantityValue(summary.allocatable(), resource));
    Put(name, "sealane_cluster_allocated", "Use of a cluster: cores, bytes or pods.", labels,
        QuantityValue(summary.allocated(), resource));
  }
  const char* nodes_help = "Nodes of a cluster.";
  Put(name, "sealane_cluster_nodes", nodes_help, {{"state", "ready"}},
      cluster.node_summary().ready_num());
  Put(name, "sealane_cluster_nodes", nodes_help, {{"state", "total"}},
      cluster.node_summary().total_num());
  const std::pair<const char*, int64_t> states[] = {{"applied", works.applied},
                                                    {"failed", works.failed},
                                                    {"removing", works.removing},
                                                    {"unhealthy", works.unhealthy}};
  for (const auto& [state, count] : states) {
    Put(name, "sealane_works", "Works of a cluster by state; unhealthy ones are applied too.",
        {{"state", state}}, static_cast<double>(count));
  }
  const char* replicas_help = "Replicas in a cluster.";
  Put(name, "sealane_cluster_replicas", replicas_help, {{"state", "wanted"}},
      static_cast<double>(works.replicas_wanted));
  Put(name, "sealane_cluster_replicas", replicas_help, {{"state", "ready"}},
      static_cast<double>(works.replicas_ready));
  PutReasons(name, works);
  const char* drift = "sealane_cluster_drift_repairs_total";
  const Labels labels = {{"cluster", name}};
  registry_
      .AddCounter(drift, "Objects that somebody changed in a cluster and its agent set right.",
                  labels)
      .Increment(static_cast<double>(drift_repairs));
  series_[name].emplace(drift, Series{drift, labels, nullptr});
}

void ClusterGauges::PutReasons(const std::string& cluster, const Works& works) {
  constexpr char kName[] = "sealane_works_failed";
  std::map<std::string, double> counts = {{"Other", 0}};
  for (const auto& [reason, count] : works.failed_by_reason) {
    counts[std::string(KnownReason(reason))] += static_cast<double>(count);
  }
  for (const auto& entry : series_[cluster]) {
    if (entry.second.name == kName) counts.emplace(entry.second.labels.at("reason"), 0);
  }
  for (const auto& [reason, count] : counts) {
    Put(cluster, kName, "Works of a cluster that cannot be applied, by the API server's reason.",
        {{"reason", reason}}, count);
  }
}

void ClusterGauges::Remove(std::string_view cluster) {
  const auto it = series_.find(cluster);
  if (it == series_.end()) return;
  for (const auto& entry : it->second) registry_.Remove(entry.second.name, entry.second.labels);
  series_.erase(it);
}

}  // namespace sealane::status
