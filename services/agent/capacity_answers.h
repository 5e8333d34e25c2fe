#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/bus/bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"
#include "lib/kube/kube_client.h"
#include "services/agent/agent_metrics.h"
#include "services/agent/cluster_facts.h"

namespace sealane::v1 {
class CapacityAnswer;
class CapacityQuestion;
}  // namespace sealane::v1

namespace sealane::agent {

// What a ResourceQuota still allows.
struct QuotaFacts {
  std::string ns;
  std::string name;
  std::vector<std::string> scopes;  // BestEffort, NotBestEffort, Terminating, ...
  bool selective = false;           // has a scopeSelector: for some priority classes only
  Resources left;                   // hard - used
};

// The quotas of a ResourceQuotaList.
[[nodiscard]] std::vector<QuotaFacts> ReadQuotas(const Json& list);

// Whether a pod of that shape may run on the node at all: ready, schedulable, taints tolerated,
// node selector and required node affinity met.
[[nodiscard]] bool NodeAccepts(const v1::CapacityQuestion& question, std::string_view name,
                               const NodeFacts& node);

// How many more replicas fit: whole ones on each node, together no more than the quotas of the
// namespace allow. Pure. A quota with a scopeSelector is not counted: who it holds for cannot be
// seen from a shape.
[[nodiscard]] v1::CapacityAnswer CountFitting(
    const v1::CapacityQuestion& question,
    const std::map<std::string, NodeFacts, std::less<>>& nodes,
    const std::vector<QuotaFacts>& quotas);

// Answers ctl.capacity (sealane/v1/capacity.proto) from what the agent follows anyway; quotas are
// listed when somebody asks, and kept for ten seconds. Without an answer of the API server about
// quotas, the nodes alone count. Thread rule: the executor thread.
class CapacityAnswers {
 public:
  // All borrowed.
  CapacityAnswers(Env env, Bus& bus, kube::KubeClient& client, const ClusterFacts& facts,
                  AgentMetrics& metrics);
  void Start();

 private:
  void OnRequest(const BusMessage& message);
  void ListQuotas();
  void AnswerAll();
  void Answer(const BusMessage& message);

  Env env_;
  Bus& bus_;
  kube::KubeClient& client_;
  const ClusterFacts& facts_;
  AgentMetrics& metrics_;
  std::vector<QuotaFacts> quotas_;
  absl::Duration quotas_from_ = -absl::InfiniteDuration();
  bool listing_ = false;
  std::deque<BusMessage> waiting_;  // for the quotas
  std::unique_ptr<Subscription> subscription_;
  ScopedExecutor executor_;
};

}  // namespace sealane::agent
