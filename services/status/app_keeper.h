#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/reconcile/keyed_queue.h"
#include "lib/telemetry/log.h"
#include "sealane/v1/app.pb.h"
#include "services/status/app_facts.h"
#include "services/status/app_gauges.h"
#include "services/status/app_status.h"
#include "services/status/cluster_keeper.h"
#include "services/status/options.h"
#include "services/status/projection.h"
#include "services/status/status_metrics.h"

namespace sealane::status {

// Keeps the rows of `app_status`: collects what is known of each application from objects,
// bindings, placements and the clusters' reports, and writes what changed. Thread rule: the
// executor thread.
class AppKeeper {
 public:
  using WordOf = std::function<ClusterWord(std::string_view cluster)>;

  AppKeeper(Env env, Bus& bus, const Options& options, StatusMetrics& metrics, AppGauges& gauges,
            PublishEvent publish, WordOf word_of);

  // Follows bindings, placements, work_status and app_status. `on_synced` once, when all four are.
  void Start(std::function<void()> on_synced);
  // From here on rows are written; every row is looked at once.
  void Run();

  // The object was applied; nullopt: it is gone. `row_key`: RowKey(key).
  void SetObject(const std::string& row_key, const ObjectKey& key,
                 std::optional<ObjectFacts> object);
  // What is known of the cluster changed: its applications are looked at again.
  void ClusterChanged(std::string_view cluster);

  // The row as it is or would be now; nullopt: there is no such object.
  [[nodiscard]] std::optional<v1::AppStatus> Describe(std::string_view row_key) const;
  // Calls for every object, in the order of row keys.
  void ForEach(const std::function<void(const std::string& row_key, const ObjectKey& key,
                                        const ObjectFacts& object)>& fn) const;
  // An object as a list of many shows it, without its whole row, which takes longer to make. Holds
  // references into the keeper: for use inside the call only.
  struct Outline {
    const std::string& row_key;
    const ObjectKey& key;
    std::string_view phase;  // of the row in force; kPending before there is one
    int32_t wanted = 0;      // replicas, of the binding; 0: not a workload, or none wanted
    const PlacementFacts* placement = nullptr;
    const ClusterNames& names;

    [[nodiscard]] bool PlacedIn(std::string_view cluster) const;
  };
  // As ForEach.
  void ForEachOutline(const std::function<void(const Outline& outline)>& fn) const;
  // How far one cluster is: of the objects placed there.
  struct Progress {
    int64_t placed = 0;
    int64_t applied = 0;
    int64_t healthy = 0;
  };
  [[nodiscard]] Progress ProgressOf(std::string_view cluster) const;
  // Of several clusters at the cost of one. Has exactly these.
  [[nodiscard]] std::map<std::string, Progress> ProgressOf(
      const std::vector<std::string>& clusters) const;
  // Per cluster, counted over all works.
  [[nodiscard]] std::map<std::string, ClusterGauges::Works> CountWorks() const;

  // Per cluster, since the last call: repairs of drift that agents told.
  [[nodiscard]] std::map<std::string, int64_t> TakeDriftRepairs();

  [[nodiscard]] bool idle() const;
  [[nodiscard]] size_t works() const { return work_count_; }
  [[nodiscard]] size_t apps() const { return apps_.size(); }
  void UpdateMetrics();

 private:
  // All that is known under one row key.
  struct App {
    ObjectKey key;  // set with `object`
    std::optional<ObjectFacts> object;
    std::optional<BindingFacts> binding;
    std::optional<PlacementFacts> placement;
    std::optional<Published> published;
    std::vector<WorkFacts> works;  // sorted by the clusters' names
    absl::Duration written_at = -absl::InfiniteDuration();
    int64_t reported_micros = 0;  // of the oldest report not yet shown; 0: none

    [[nodiscard]] bool empty() const {
      return !object && !binding && !placement && !published && works.empty();
    }
  };

  bool StoreBinding(const std::string& key, std::string_view bytes);
  bool StorePlacement(const std::string& key, std::string_view bytes);
  bool StoreWork(const std::string& key, std::string_view bytes);
  bool StorePublished(const std::string& key, std::string_view bytes, uint64_t revision);
  void EraseWork(const std::string& key);
  // Applies `clear` to the app and forgets it when nothing is left.
  void Drop(std::string_view key, const std::function<void(App&)>& clear);
  std::vector<WorkFacts>::iterator FindWork(App& app, uint32_t cluster);

  void Touch(std::string_view row_key);
  void Reconcile(const std::string& row_key);
  [[nodiscard]] v1::AppStatus Compute(const App& app) const;
  [[nodiscard]] v1::AppStatus ComputeRebalancer(const App& app) const;
  void Write(const std::string& row_key, App& app, const v1::AppStatus& row);
  void Remove(const std::string& row_key, App& app);
  // What is told when a row changes: how long the steps took, and the application's own series.
  void Measure(const std::string& row_key, const Published* before, const v1::AppStatus& row);
  void TellPhase(const Published* before, const App& app, const v1::AppStatus& row);

  Env env_;
  Options options_;
  StatusMetrics& metrics_;
  AppGauges& gauges_;
  PublishEvent publish_;
  std::function<ClusterWord(uint32_t)> word_of_;
  Logger log_{"status"};
  ClusterNames names_;
  std::map<std::string, App, std::less<>> apps_;
  size_t work_count_ = 0;
  std::map<std::string, int64_t> drift_repairs_;
  bool running_ = false;
  Projection bindings_;
  Projection placements_;
  Projection work_status_;
  Projection app_status_;
  KeyedQueue queue_;
};

}  // namespace sealane::status
