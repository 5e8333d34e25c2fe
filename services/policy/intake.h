#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/bus/bus.h"
#include "lib/bus/event_sink.h"
#include "lib/core/env.h"
#include "lib/core/json_fwd.h"
#include "lib/core/scoped_executor.h"
#include "lib/telemetry/log.h"
#include "sealane/v1/deploy.pb.h"
#include "services/policy/policy_metrics.h"
#include "services/policy/state.h"

namespace sealane::policy {

// The front door: takes deploy events in order, checks every operation, makes what is accepted
// durable in `objects`, answers on deployed.<platform>.<event>, and only then acknowledges.
//
// Several events are under way at once. They are acknowledged in order, so that after a crash the
// bus delivers exactly a suffix again; rows remember the sequence of the event that wrote them, so
// that a repeated event does not undo a later one. Thread rule: executor thread.
class Intake {
 public:
  // All borrowed; `on_progress` is called when acknowledged_sequence grew.
  Intake(Env env, Bus& bus, State& state, EventSink& events, PolicyMetrics& metrics,
         std::function<void()> on_progress);

  // Begins to consume. The objects table must be synced.
  void Start();
  void Stop();
  [[nodiscard]] bool idle() const { return in_flight_.empty(); }

 private:
  enum class Step { kWriting, kAnswering, kAnswered };
  struct InFlight {
    Step step = Step::kWriting;
    uint64_t sequence = 0;
    std::string platform;
    v1::DeployResult result;
    // Accepted manifests by the place of their result, while the event is being handled.
    std::vector<std::pair<int, std::shared_ptr<const Json>>> admitted;
    int waiting = 0;      // writes not yet durable
    bool failed = false;  // a write will never be durable: the event must be delivered again
    int64_t attempts = 1;
  };

  void OnDelivery(const Delivery& delivery);
  // Adds warnings about accepted policies, when everything beside them has been handled, too.
  void Advise(InFlight& event) const;
  // Handles one operation; true when it was accepted.
  bool Handle(const std::shared_ptr<InFlight>& event, const v1::DeployEvent& request,
              const v1::Operation& operation, v1::OperationResult& result, bool commit);
  bool Apply(const std::shared_ptr<InFlight>& event, const v1::DeployEvent& request,
             const v1::Operation& operation, const std::shared_ptr<Json>& parsed,
             v1::OperationResult& result, bool commit);
  bool Delete(const std::shared_ptr<InFlight>& event, const v1::DeployEvent& request,
              const Json& manifest, v1::OperationResult& result, bool commit);
  // Keeps the generation that is about to be replaced or deleted; the event is not answered before.
  void Keep(const std::shared_ptr<InFlight>& event, const std::string& key,
            const v1::StoredObject& replaced);
  void AppendRevision(const std::shared_ptr<InFlight>& event,
                      const std::shared_ptr<const AppendRequest>& request);
  void Write(const std::shared_ptr<InFlight>& event, const std::string& key, v1::StoredObject row);
  // Takes an event one step on: its writes are durable, then its answer is, then it is
  // acknowledged.
  void Progress(const std::shared_ptr<InFlight>& event);
  void Answer(const std::shared_ptr<InFlight>& event);
  void Report(const v1::DeployEvent& request, const v1::OperationResult& result);

  Env env_;
  Bus& bus_;
  State& state_;
  EventSink& events_;
  PolicyMetrics& metrics_;
  std::function<void()> on_progress_;
  Logger log_{"intake"};
  std::deque<std::shared_ptr<InFlight>> in_flight_;  // in stream order
  uint64_t stops_ = 0;
  std::unique_ptr<DurableConsumer> consumer_;
  ScopedExecutor executor_;
};

}  // namespace sealane::policy
