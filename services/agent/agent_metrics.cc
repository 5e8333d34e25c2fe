#include "services/agent/agent_metrics.h"

namespace sealane::agent {

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
      works(registry.AddGauge("sealane_agent_works", "Works known")),
      works_failed(registry.AddGauge("sealane_agent_works_failed", "Works that cannot be applied")),
      reports_pending(
          registry.AddGauge("sealane_agent_reports_pending", "Work status rows not yet durable")),
      queue_waiting(
          registry.AddGauge("sealane_agent_queue_waiting", "Works waiting to be handled")),
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
                                          "From the arrival of a work to its successful apply")) {}

}  // namespace sealane::agent
