#include "services/status/app_gauges.h"

#include <algorithm>
#include <utility>

#include "sealane/v1/app.pb.h"
#include "sealane/v1/common.pb.h"
#include "services/status/app_status.h"
#include "services/status/rollout.h"

namespace sealane::status {
namespace {

constexpr char kPhase[] = "sealane_app_phase";
constexpr char kReplicas[] = "sealane_app_replicas";
constexpr char kClusters[] = "sealane_app_clusters";
constexpr char kSteps[] = "sealane_app_rollout_step_seconds";

// Until the slowest cluster that has come so far.
struct Reached {
  int64_t micros = 0;
  void Add(int64_t at) { micros = std::max(micros, at); }
};

}  // namespace

AppGauges::AppGauges(Registry& registry, size_t limit) : registry_(registry), limit_(limit) {
  if (limit_ == 0) return;
  untold_count_ = &registry_.AddGauge("sealane_status_apps_without_metrics",
                                      "Applications beyond the limit of --per-app-metrics.");
  untold_count_->Set(0);
}

AppGauges::~AppGauges() {
  for (const auto& app : apps_) {
    for (const auto& [name, labels] : app.second) registry_.Remove(name, labels);
  }
}

void AppGauges::Put(std::string_view name, std::string_view help, Labels labels, double value,
                    Series& present) {
  registry_.AddGauge(name, help, labels).Set(value);
  present.emplace(std::string(name), std::move(labels));
}

void AppGauges::Set(const std::string& row_key, const v1::AppStatus& row) {
  if (!enabled()) return;
  const auto known = apps_.find(row_key);
  if (known == apps_.end() && apps_.size() >= limit_) {
    untold_.insert(row_key);
    untold_count_->Set(static_cast<double>(untold_.size()));
    return;
  }
  Series present;
  const Labels app = {{"namespace", row.ref().namespace_()},
                      {"kind", row.ref().kind()},
                      {"name", row.ref().name()}};
  const auto with = [&app](const char* label, std::string_view value) {
    Labels labels = app;
    labels[label] = std::string(value);
    return labels;
  };
  Put(kPhase, "Always 1; the label says in which phase an application is.",
      with("phase", row.phase()), 1, present);
  int placed = 0;
  int newest = 0;
  int healthy = 0;
  Reached reached[kRolloutSteps];
  reached[0].Add(row.claimed_micros());
  for (const v1::ClusterAppStatus& cluster : row.clusters()) {
    const char* help = "Replicas of an application in a cluster.";
    Labels labels = with("cluster", cluster.cluster());
    labels["state"] = "wanted";
    Put(kReplicas, help, labels, cluster.replicas().wanted(), present);
    labels["state"] = "ready";
    Put(kReplicas, help, labels, cluster.replicas().ready(), present);
    ++placed;
    reached[1].Add(cluster.placed_micros());
    reached[2].Add(cluster.rendered_micros());
    if (cluster.applied_generation() < row.generation()) continue;
    ++newest;
    reached[3].Add(cluster.applied_micros());
    reached[4].Add(cluster.healthy_micros());
    if (cluster.health() == kHealthy) ++healthy;
  }
  const char* help = "Clusters of an application, by how far they are with its newest generation.";
  Put(kClusters, help, with("state", "placed"), placed, present);
  Put(kClusters, help, with("state", "newest"), newest, present);
  Put(kClusters, help, with("state", "healthy"), healthy, present);
  for (size_t i = 0; i < kRolloutSteps; ++i) {
    const int64_t took = reached[i].micros - row.accepted_micros();
    if (reached[i].micros == 0 || row.accepted_micros() == 0) continue;
    Put(kSteps,
        "From the acceptance of the newest generation until the slowest cluster so far took "
        "the step.",
        with("step", Name(static_cast<RolloutStep>(i))),
        static_cast<double>(std::max<int64_t>(0, took)) / 1e6, present);
  }
  Series& before = apps_[row_key];
  for (const auto& series : before) {
    if (!present.contains(series)) registry_.Remove(series.first, series.second);
  }
  before = std::move(present);
}

void AppGauges::Remove(std::string_view row_key) {
  if (!enabled()) return;
  if (const auto it = apps_.find(row_key); it != apps_.end()) {
    for (const auto& [name, labels] : it->second) registry_.Remove(name, labels);
    apps_.erase(it);
  }
  if (const auto it = untold_.find(row_key); it != untold_.end()) {
    untold_.erase(it);
    untold_count_->Set(static_cast<double>(untold_.size()));
  }
}

}  // namespace sealane::status
