#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "lib/bus/event_sink.h"
#include "lib/core/scoped_executor.h"
#include "lib/runtime/service.h"
#include "lib/telemetry/log.h"
#include "services/status/app_gauges.h"
#include "services/status/app_keeper.h"
#include "services/status/cluster_keeper.h"
#include "services/status/options.h"
#include "services/status/projection.h"
#include "services/status/queries.h"
#include "services/status/status_metrics.h"

namespace sealane::status {

// The status service: judges clusters by their heartbeats (`cluster_status`), makes one picture of
// each application out of its clusters' words (`app_status`), tells what happened (`events`), and
// answers query.status. Reads `objects`, `bindings`, `placements`, `work_status`, heartbeats.
// One that does not lead follows all that, and neither writes nor answers.
class StatusService final : public Service {
 public:
  StatusService(ServiceContext context, const Options& options);
  ~StatusService() override;

  void Start() override;
  // From now on it works, not only follows. Without an election it leads from the start.
  void Lead();
  [[nodiscard]] bool Ready(std::string* why_not) const override;
  [[nodiscard]] bool Idle() const override;
  // What is known of the fleet, to be read before the executor goes on; nullptr while this one does
  // not work.
  [[nodiscard]] const AppKeeper* apps() const { return queries_ != nullptr ? &apps_ : nullptr; }
  [[nodiscard]] const ClusterKeeper* clusters() const {
    return queries_ != nullptr ? &clusters_ : nullptr;
  }

 private:
  // What a row of `objects` is to this service.
  enum class Kind { kApp, kCluster, kTaintPolicy };
  struct Special {
    Kind kind;
    std::string name;
  };

  void EnsureStreams();
  bool StoreObject(const std::string& key, std::string_view bytes);
  void EraseObject(const std::string& key);
  void OnSynced();
  void WorkIfPossible();
  void UpdateMetrics();

  ServiceContext context_;
  Options options_;
  StatusMetrics metrics_;
  ClusterGauges gauges_;
  AppGauges app_gauges_;
  Logger log_{"status"};
  std::map<std::string, Special> special_;  // rows of `objects` that are no applications
  int unsynced_ = 3;                        // views that have not been replayed yet
  bool leading_;
  EventSink events_;
  AppKeeper apps_;
  ClusterKeeper clusters_;
  Projection objects_;
  std::unique_ptr<Queries> queries_;
  ScopedExecutor executor_;
};

}  // namespace sealane::status
