#include "services/agent/agent_metrics.h"

namespace sealane::agent {
namespace {

constexpr char kOther[] = "Other";

// Kubernetes' reasons of a Status, and what the agent says itself; webhooks may invent others.
constexpr const char* kReasons[] = {"AlreadyExists",
                                    "BadRequest",
                                    "Conflict",
                                    "Error",
                                    "Forbidden",
                                    "InternalError",
                                    "Invalid",
                                    "MethodNotAllowed",
                                    "NoKindMatch",
                                    "NotFound",
                                    kOther,
                                    "RequestEntityTooLarge",
                                    "ServerTimeout",
                                    "ServiceUnavailable",
                                    "Timeout",
                                    "TooManyRequests",
                                    "Unauthorized",
                                    "Unavailable",
                                    "UnsupportedMediaType"};

}  // namespace

AgentMetrics::AgentMetrics(Registry& registry)
    : applied(registry.AddCounter("sealane_agent_applies_total", "Applies by result",
                                  {{"result", "applied"}})),
      refused(registry.AddCounter("sealane_agent_applies_total", "Applies by result",
                                  {{"result", "refused"}})),
      apply_retries(registry.AddCounter("sealane_agent_applies_total", "Applies by result",
                                        {{"result", "retried"}})),
      deleted(registry.AddCounter("sealane_agent_removals_total", "Objects taken away, by how",
                                  {{"how", "deleted"}})),
      released(registry.AddCounter("sealane_agent_removals_total", "Objects taken away, by how",
                                   {{"how", "released"}})),
      recreated(registry.AddCounter("sealane_agent_removals_total", "Objects taken away, by how",
                                    {{"how", "recreated"}})),
      drift_repairs(registry.AddCounter("sealane_agent_drift_total", "Drift found, by answer",
                                        {{"answer", "repaired"}})),
      drift_reported(registry.AddCounter("sealane_agent_drift_total", "Drift found, by answer",
                                         {{"answer", "reported"}})),
      works_received(registry.AddCounter("sealane_agent_works_received_total",
                                         "Works that arrived, by what became of them",
                                         {{"result", "taken"}})),
      works_stale(registry.AddCounter("sealane_agent_works_received_total",
                                      "Works that arrived, by what became of them",
                                      {{"result", "stale"}})),
      works_malformed(registry.AddCounter("sealane_agent_works_received_total",
                                          "Works that arrived, by what became of them",
                                          {{"result", "malformed"}})),
      reports_sent(registry.AddCounter("sealane_agent_reports_total", "Work status rows written",
                                       {{"result", "durable"}})),
      report_failures(registry.AddCounter("sealane_agent_reports_total", "Work status rows written",
                                          {{"result", "failed"}})),
      heartbeats(registry.AddCounter("sealane_agent_heartbeats_total", "Heartbeats sent")),
      capacity_answers(registry.AddCounter("sealane_agent_capacity_answers_total",
                                           "Capacity questions answered")),
      member_requests(registry.AddCounter(
          "sealane_agent_member_requests_total",
          "Requests of the control plane's users to the cluster's API server, by outcome",
          {{"result", "sent"}})),
      member_refused(registry.AddCounter(
          "sealane_agent_member_requests_total",
          "Requests of the control plane's users to the cluster's API server, by outcome",
          {{"result", "refused"}})),
      api_requests(registry.AddCounter("sealane_agent_api_requests_total",
                                       "Requests to the cluster's API server")),
      api_errors(
          registry.AddCounter("sealane_agent_api_errors_total", "Requests that got no answer")),
      api_throttled(registry.AddCounter("sealane_agent_api_throttled_total",
                                        "Requests answered 429 Too Many Requests")),
      watch_failures(registry.AddCounter("sealane_agent_watch_failures_total",
                                         "Lists and watches that failed")),
      versions_went_back(registry.AddCounter("sealane_agent_api_restores_total",
                                             "Lists that were older than what was known: the API "
                                             "server was restored from a backup")),
      member_sessions(registry.AddGauge("sealane_agent_member_sessions",
                                        "Answers to the control plane's users under way")),
      works(registry.AddGauge("sealane_agent_works", "Works known")),
      works_failed(registry.AddGauge("sealane_agent_works_failed", "Works that cannot be applied")),
      reports_pending(
          registry.AddGauge("sealane_agent_reports_pending", "Work status rows not yet durable")),
      queue_waiting(
          registry.AddGauge("sealane_agent_queue_waiting", "Works waiting to be handled")),
      queue_age(registry.AddGauge("sealane_agent_queue_age_seconds",
                                  "How long the oldest of them has waited")),
      api_healthy(
          registry.AddGauge("sealane_agent_api_healthy", "1 when the API server answers /readyz")),
      failed_writes(registry.AddGauge("sealane_agent_api_failed_writes",
                                      "Writes that the API server failed or forbade since one "
                                      "succeeded")),
      bus_connected(
          registry.AddGauge("sealane_agent_bus_connected", "1 when connected to the bus")),
      state_writable(registry.AddGauge("sealane_agent_state_writable",
                                       "1 when everything is stored in the state directory")),
      works_synced(registry.AddGauge("sealane_agent_works_synced",
                                     "1 when the complete set of works was seen")),
      apply_seconds(registry.AddHistogram("sealane_agent_apply_seconds",
                                          "From the arrival of a work to its successful apply")) {
  for (const char* reason : kReasons) {
    apply_errors[reason] =
        &registry.AddCounter("sealane_agent_apply_errors_total",
                             "Applies that failed, for good or in passing, by the API server's "
                             "reason",
                             {{"reason", reason}});
  }
}

Counter& AgentMetrics::ApplyError(std::string_view reason) {
  const auto it = apply_errors.find(reason);
  return it != apply_errors.end() ? *it->second : *apply_errors.find(kOther)->second;
}

}  // namespace sealane::agent
