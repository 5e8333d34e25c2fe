#pragma once

#include <array>

#include "lib/telemetry/metrics.h"
#include "services/scheduler/schedule.h"

namespace sealane::scheduler {

// The metrics of the scheduler service.
struct SchedulerMetrics {
  explicit SchedulerMetrics(Registry& registry);

  // Decisions that ended so.
  [[nodiscard]] Counter& Decided(Outcome outcome) {
    return *decisions[static_cast<size_t>(outcome)];
  }

  std::array<Counter*, 4> decisions;
  Counter& unchanged;  // bindings that were looked at and are well placed
  Counter& writes;
  Counter& conflicts;          // writes that another writer got in front of
  Counter& moves;              // placements whose clusters changed
  Counter& evictions;          // clusters that were left because they went or were tainted
  Counter& failovers;          // clusters that applications left because they failed there
  Counter& cluster_failovers;  // ... because of a taint
  Counter& held;               // applications held after failures in several clusters
  Counter& cluster_events;     // changes that filters see
  Counter& capacity_events;    // heartbeats that only change capacity
  Counter& concerned;          // bindings looked at because of cluster events
  Counter& capacity_requests;  // messages to agents: how many more fit
  Counter& capacity_silent;    // of them, without a usable answer
  Counter& capacity_waits;     // decisions that waited for agents
  Histogram& decision_seconds;
  // From a decision to its durable row.
  Histogram& placement_seconds;
  Gauge& queue_depth;
  Gauge& queue_age;
  Gauge& bindings;
  Gauge& unscheduled;
  Gauge& clusters;
  Gauge& assumed;
  Gauge& short_of_room;
  Gauge& pace_waiting;  // objects that wait for their turn to leave a tainted cluster
  Gauge& leader;
};

}  // namespace sealane::scheduler
