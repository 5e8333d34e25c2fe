#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/estimator.h"

namespace sealane::v1 {
class CapacityQuestion;
}  // namespace sealane::v1

namespace sealane::scheduler {

struct CapacityAskerOptions {
  // How long a decision waits for the agents' answers; what is not known then does not count.
  absl::Duration wait = absl::Milliseconds(500);
  // A cluster that did not answer is not waited for again for this long.
  absl::Duration quiet = absl::Seconds(30);
  // How long an answer holds when the cluster's heartbeats show no other capacity.
  absl::Duration keep = absl::Seconds(30);
};

struct CapacityAskerStats {
  uint64_t requests = 0;  // messages to clusters
  uint64_t answers = 0;   // shapes answered
  uint64_t silent = 0;    // requests without a usable answer
};

// Asks the agents how many more replicas of a shape fit into their nodes (capacity.proto), many
// shapes in one message for each cluster, and keeps the answers until a heartbeat shows another
// capacity. Thread rule: the executor thread.
class CapacityAsker {
 public:
  // `on_ready(key)`: the binding that waited can be decided now.
  CapacityAsker(Env env, Bus& bus, CapacityAskerOptions options,
                std::function<void(const std::string& key)> on_ready);

  // What the binding asks of a node, as a number; bindings with the same number share answers.
  [[nodiscard]] static uint64_t ShapeOf(const v1::Binding& binding);
  // What is known of the shape, by cluster. Valid until control returns to the executor.
  [[nodiscard]] const AccurateAnswers& Answers(uint64_t shape);

  // Asks these clusters about the binding's shape, the first 512 of them that may be asked. True
  // when the binding shall wait: on_ready comes when all have answered, or after the time to wait.
  // False when nobody is left to be asked.
  bool Ask(const std::string& key, const v1::Binding& binding,
           const std::vector<std::string>& clusters);
  // The cluster has another capacity (or went): its answers do not hold any more.
  void Changed(const std::string& cluster);
  // The binding went: nobody waits for it.
  void Forget(const std::string& key);

  [[nodiscard]] size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] const CapacityAskerStats& stats() const { return stats_; }

 private:
  struct Cluster {
    std::map<uint64_t, std::string> wanted;           // shape -> serialized question, to be sent
    std::map<uint64_t, std::set<std::string>> asked;  // shape -> keys of waiting bindings
    bool in_flight = false;
    absl::Duration quiet_until;
  };
  struct Shape {
    AccurateAnswers answers;
    absl::Duration used;  // when somebody looked last
  };
  struct Waiting {
    std::set<std::string> clusters;
    TimerId timer = 0;
  };

  void Flush();
  void Send(const std::string& name, Cluster& cluster);
  void OnAnswer(const std::string& name, const std::vector<uint64_t>& shapes, uint64_t change,
                const absl::StatusOr<BusMessage>& answer);
  void Settle(const std::string& name, uint64_t shape);
  void Release(const std::string& key);
  void Purge();

  Env env_;
  Bus& bus_;
  CapacityAskerOptions options_;
  std::function<void(const std::string&)> on_ready_;
  CapacityAskerStats stats_;
  std::map<std::string, Cluster> clusters_;
  std::map<uint64_t, Shape> shapes_;
  std::map<std::string, Waiting> waiting_;
  std::map<std::string, uint64_t> changes_;  // cluster -> how often its capacity changed
  bool flush_posted_ = false;
  ScopedExecutor executor_;
};

}  // namespace sealane::scheduler
