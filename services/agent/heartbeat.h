#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/kube_client.h"
#include "lib/kube/rest_mapping.h"
#include "services/agent/agent_metrics.h"
#include "services/agent/cluster_facts.h"

namespace sealane::agent {

// Asks the API server whether it is ready: every 10 seconds, and every second while it is not (or
// when a request got no answer). Thread rule: the executor thread.
class ApiHealth {
 public:
  // `on_change` is told the first answer and each change.
  ApiHealth(kube::KubeClient& client, AgentMetrics& metrics,
            std::function<void(bool healthy)> on_change);
  void Start() { Probe(); }
  // A request got no answer: ask now.
  void Suspect();
  // The API server was asked at least once.
  [[nodiscard]] bool known() const { return known_; }
  [[nodiscard]] bool healthy() const { return healthy_; }
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  void Probe();
  void OnAnswer(const absl::Status& status);

  kube::KubeClient& client_;
  AgentMetrics& metrics_;
  std::function<void(bool)> on_change_;
  bool known_ = false;
  bool healthy_ = false;
  bool probing_ = false;
  std::string message_ = "not asked yet";
  TimerId timer_ = 0;
  ScopedExecutor executor_;
};

// The served kinds as the heartbeat tells them.
void FillEnablements(const kube::ApiCatalog& catalog, v1::Heartbeat& heartbeat);

struct HeartbeatOptions {
  std::string cluster;
  absl::Duration interval = absl::Seconds(10);
  std::string agent_version;
};

// Publishes heartbeats: every interval, and soon after something in them changed (at most once a
// second). Thread rule: the executor thread.
class HeartbeatSender {
 public:
  // `fill` adds what others know, to each heartbeat.
  HeartbeatSender(Env env, Bus& bus, HeartbeatOptions options, const ApiHealth& health,
                  const ClusterFacts& facts, AgentMetrics& metrics,
                  std::function<void(v1::Heartbeat&)> fill);
  void Start(int64_t incarnation);
  void SetCatalog(std::shared_ptr<const kube::ApiCatalog> catalog);
  void Changed();

 private:
  void Send();
  void Arm(absl::Duration delay);

  Env env_;
  Bus& bus_;
  HeartbeatOptions options_;
  const ApiHealth& health_;
  const ClusterFacts& facts_;
  AgentMetrics& metrics_;
  std::function<void(v1::Heartbeat&)> fill_;
  std::shared_ptr<const kube::ApiCatalog> catalog_;
  int64_t incarnation_ = 0;
  int64_t counter_ = 0;
  absl::Duration started_;
  absl::Duration last_sent_ = -absl::InfiniteDuration();
  absl::Duration armed_for_;
  TimerId timer_ = 0;
  ScopedExecutor executor_;
};

}  // namespace sealane::agent
