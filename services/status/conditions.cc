#include "services/status/conditions.h"

#include <algorithm>
#include <string>

#include "lib/core/strings.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/common.pb.h"

namespace sealane::status {

const v1::Condition* FindCondition(const v1::ClusterStatus& cluster, std::string_view type) {
  for (const v1::Condition& condition : cluster.conditions()) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

std::optional<Readiness> ReadinessOf(const v1::ClusterStatus& cluster) {
  const v1::Condition* ready = FindCondition(cluster, kReadyCondition);
  if (ready == nullptr) return std::nullopt;
  return ParseReadiness(ready->status());
}

void SetCondition(v1::ClusterStatus& cluster, std::string_view type, std::string_view status,
                  std::string_view reason, std::string_view message, int64_t now_micros) {
  auto& conditions = *cluster.mutable_conditions();
  const auto found =
      std::find_if(conditions.begin(), conditions.end(),
                   [&](const v1::Condition& condition) { return condition.type() == type; });
  v1::Condition* condition = found != conditions.end() ? &*found : conditions.Add();
  if (condition->status() != status) condition->set_last_transition_micros(now_micros);
  condition->set_type(std::string(type));
  condition->set_status(std::string(status));
  condition->set_reason(std::string(reason));
  condition->set_message(std::string(message));
  std::sort(conditions.begin(), conditions.end(),
            [](const v1::Condition& a, const v1::Condition& b) { return a.type() < b.type(); });
}

void SetReady(v1::ClusterStatus& cluster, Readiness readiness, bool ever_heard,
              std::string_view api_message, int64_t now_micros) {
  switch (readiness) {
    case Readiness::kTrue:
      SetCondition(cluster, kReadyCondition, "True", "ClusterReady",
                   "cluster is healthy and ready to accept workloads", now_micros);
      return;
    case Readiness::kFalse:
      SetCondition(cluster, kReadyCondition, "False", "ClusterNotReady",
                   api_message.empty()
                       ? "the cluster's API server is not healthy"
                       : StrCat("the cluster's API server is not healthy: ", api_message),
                   now_micros);
      return;
    case Readiness::kUnknown:
      SetCondition(cluster, kReadyCondition, "Unknown",
                   ever_heard ? "ClusterStatusUnknown" : "AgentNeverConnected",
                   ever_heard ? "the cluster's agent stopped sending heartbeats"
                              : "the cluster's agent has not connected yet",
                   now_micros);
      return;
  }
}

void SetApiEnablements(v1::ClusterStatus& cluster, const v1::Heartbeat& heartbeat,
                       int64_t now_micros) {
  if (heartbeat.api_enablements_complete()) {
    SetCondition(cluster, kApiEnablementsCondition, "True", "FullAPIEnablements",
                 "all APIs of the cluster are known", now_micros);
  } else if (heartbeat.api_enablements_size() > 0) {
    SetCondition(cluster, kApiEnablementsCondition, "False", "PartialAPIEnablements",
                 "some APIs of the cluster could not be discovered", now_micros);
  } else {
    SetCondition(cluster, kApiEnablementsCondition, "False", "EmptyAPIEnablements",
                 "the APIs of the cluster could not be discovered", now_micros);
  }
}

}  // namespace sealane::status
