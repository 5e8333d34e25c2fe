#pragma once

#include "lib/telemetry/metrics.h"

namespace sealane::policy {

// What the policy service counts. All series exist from the start.
struct PolicyMetrics {
  explicit PolicyMetrics(Registry& registry);

  Counter& deploy_events;
  Counter& operations_accepted;
  Counter& operations_refused;
  Histogram& intake_seconds;  // received -> durable
  Counter& matches;           // objects looked at by matching
  Counter& bindings_written;
  Counter& works_written;
  Counter& works_unchanged;  // rendered again to the same result
  Counter& renderings;       // manifests rendered; clusters with equal results share one
  Counter& render_failures;
  Histogram& render_seconds;  // one object, all its clusters
  Gauge& objects;
  Gauge& bindings;
  Gauge& works;
  Gauge& works_deleting;
  Gauge& render_errors;  // clusters whose last rendering failed
  Gauge& match_queue;
  Gauge& render_queue;
  Gauge& match_queue_age;
  Gauge& render_queue_age;
  Gauge& leader;
};

}  // namespace sealane::policy
