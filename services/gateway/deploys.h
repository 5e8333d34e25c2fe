#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "sealane/v1/deploy.pb.h"

namespace sealane::gateway {

// Publishes deploy events of one operation each, and hears their answers.
// Thread rule: the executor thread.
class Deploys {
 public:
  // `timeout`: how long an answer is waited for.
  Deploys(Bus& bus, Env env, absl::Duration timeout);
  void Start();
  // Whether answers can be heard.
  [[nodiscard]] bool ready() const { return ready_; }

  // Errors have the form of the Kubernetes API: 503 the event may not have been stored, 504 it was
  // stored (or may be) and nobody has answered yet. A refusal is a result.
  using Done = std::function<void(absl::StatusOr<v1::OperationResult>)>;
  void Publish(v1::Operation operation, const std::string& publisher, Done done);
  // Lets go of all that waits, without an answer.
  void Abandon() { std::exchange(waiting_, {}).clear(); }
  [[nodiscard]] size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    Done done;
    uint64_t timer = 0;
  };
  void OnResult(const WatchEvent& event);
  void OnMessage(const BusMessage& message);
  void LookUp(const std::string& id);
  void Finish(const std::string& id, absl::StatusOr<v1::OperationResult> result);

  Bus& bus_;
  Env env_;
  absl::Duration timeout_;
  bool ready_ = false;
  std::map<std::string, Waiting> waiting_;  // by event id
  std::unique_ptr<Subscription> watch_;
  ScopedExecutor executor_;
};

}  // namespace sealane::gateway
