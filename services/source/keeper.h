#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib/bus/event_sink.h"
#include "lib/bus/table.h"
#include "lib/core/backoff.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/git_source.h"
#include "lib/telemetry/log.h"
#include "sealane/v1/source.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/source/git.h"
#include "services/source/plan.h"
#include "services/source/publisher.h"
#include "services/source/source_metrics.h"

namespace sealane::source {

// Keeps the fleet as the GitSources' repositories say: follows the sources among the objects, reads
// each at its interval and when it changes, publishes what differs, and writes what became of it
// into the table `sources`. Exists while this process leads. Thread rule: the executor thread only.
class Keeper {
 public:
  // Everything given must outlive it. `states`: the table `sources`, which others started.
  Keeper(Env env, Bus& bus, GitReader& git, Table<v1::GitSourceState>& states,
         SourceMetrics& metrics);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  void Start();
  // `states` has been replayed.
  void OnStatesSynced() { BeginIfSynced(); }
  [[nodiscard]] bool synced() const { return synced_; }
  // Nothing is under way.
  [[nodiscard]] bool idle() const;
  // When the repository of a source was last read without an error; 0: not by this process.
  [[nodiscard]] int64_t CheckedMicros(const std::string& name) const;

 private:
  struct Source;

  void BeginIfSynced();
  void OnObject(const std::string& key);
  // Looks at a source now, or once more when what is under way has ended.
  void Wake(const std::string& name);
  void WakeAfter(Source& source, absl::Duration delay);
  void Work(Source& source);
  void Read(Source& source);
  void TookTree(Source& source, absl::StatusOr<GitTree> tree);
  void Publish(Source& source, Plan plan);
  void Published(Source& source, const Plan& plan, const std::vector<v1::DeployResult>& results);
  void Remove(Source& source);
  void FailedToRead(Source& source, const absl::Status& status);
  void Refuse(Source& source, std::vector<v1::GitProblem> problems);
  void Applied(Source& source, const Plan& plan);
  // Ends this look at the source: writes its state when that differs, sets the timer.
  void Rest(Source& source, absl::Duration next);

  [[nodiscard]] const v1::StoredObject* Object(const std::string& name) const;
  [[nodiscard]] Owned OwnedBy(const Source& source) const;
  [[nodiscard]] LookUp LookUpFor(const Source& source) const;
  void Tell(const Source& source, std::string_view type, std::string_view reason,
            const std::string& message);
  void Write(const Source& source);
  void UpdateGauges();

  Env env_;
  Bus& bus_;
  GitReader& git_;
  Table<v1::GitSourceState>& states_;
  SourceMetrics& metrics_;
  Logger log_{"source"};
  ScopedExecutor executor_;
  EventSink events_;
  Table<v1::StoredObject> objects_;
  std::map<std::string, std::unique_ptr<Source>> sources_;
  bool synced_ = false;
};

}  // namespace sealane::source
