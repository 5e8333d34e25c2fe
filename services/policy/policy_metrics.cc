#include "services/policy/policy_metrics.h"

namespace sealane::policy {

PolicyMetrics::PolicyMetrics(Registry& r)
    : deploy_events(r.AddCounter("sealane_policy_deploy_events_total", "Deploy events received")),
      operations_accepted(r.AddCounter("sealane_policy_operations_total",
                                       "Operations of deploy events by result",
                                       {{"result", "accepted"}})),
      operations_refused(r.AddCounter("sealane_policy_operations_total",
                                      "Operations of deploy events by result",
                                      {{"result", "refused"}})),
      intake_seconds(r.AddHistogram("sealane_policy_intake_duration_seconds",
                                    "Deploy event received until everything accepted is durable")),
      matches(r.AddCounter("sealane_policy_matches_total", "Objects that matching looked at")),
      bindings_written(
          r.AddCounter("sealane_policy_bindings_written_total", "Binding rows written")),
      works_written(r.AddCounter("sealane_policy_works_written_total", "Work rows written")),
      works_unchanged(r.AddCounter("sealane_policy_works_unchanged_total",
                                   "Works rendered again to the same result")),
      renderings(r.AddCounter("sealane_policy_renderings_total",
                              "Manifests rendered; clusters with equal results share one")),
      render_failures(r.AddCounter("sealane_policy_render_failures_total",
                                   "Renderings that an override policy made fail")),
      render_seconds(r.AddHistogram("sealane_policy_render_duration_seconds",
                                    "Rendering one object for all its clusters")),
      objects(
          r.AddGauge("sealane_policy_objects", "Objects stored, policies and clusters included")),
      bindings(r.AddGauge("sealane_policy_bindings", "Bindings")),
      works(r.AddGauge("sealane_policy_works", "Works")),
      works_deleting(r.AddGauge("sealane_policy_works_deleting",
                                "Works that wait for their cluster to report Removed")),
      render_errors(r.AddGauge("sealane_policy_render_errors",
                               "Works whose last rendering failed; the last good one is in force")),
      match_queue(
          r.AddGauge("sealane_policy_queue_depth", "Keys waiting by queue", {{"queue", "match"}})),
      render_queue(
          r.AddGauge("sealane_policy_queue_depth", "Keys waiting by queue", {{"queue", "render"}})),
      match_queue_age(r.AddGauge("sealane_policy_queue_age_seconds",
                                 "How long the oldest key has waited, by queue",
                                 {{"queue", "match"}})),
      render_queue_age(r.AddGauge("sealane_policy_queue_age_seconds",
                                  "How long the oldest key has waited, by queue",
                                  {{"queue", "render"}})),
      leader(r.AddGauge("sealane_policy_leader", "1 while this process leads")) {}

}  // namespace sealane::policy
