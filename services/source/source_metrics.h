#pragma once

#include "lib/telemetry/metrics.h"

namespace sealane::source {

// What the source service counts. All series exist from the start.
struct SourceMetrics {
  explicit SourceMetrics(Registry& registry);

  Counter& fetches_ok;
  Counter& fetches_failed;
  Histogram& fetch_seconds;
  Counter& commits_applied;
  Counter& commits_refused;
  Counter& repairs;  // publications without a new commit: the fleet was not as it should be
  Counter& objects_applied;
  Counter& objects_removed;
  Gauge& sources;
  Gauge& sources_failing;  // refused, or their repository cannot be read
  Gauge& objects;
  Gauge& sync_due;  // Unix time, the earliest of all sources; 0: none is to be in force
  Gauge& leader;
};

}  // namespace sealane::source
