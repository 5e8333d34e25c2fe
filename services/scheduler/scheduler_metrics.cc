#include "services/scheduler/scheduler_metrics.h"

namespace sealane::scheduler {
namespace {

constexpr char kDecisions[] = "sealane_scheduler_decisions_total";
constexpr char kDecisionsHelp[] = "Bindings that were scheduled for a reason, by the outcome.";

// 1 us ... 1 s.
const std::vector<double>& DecisionBuckets() {
  static const auto& buckets =
      *new std::vector<double>{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4,
                               1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1,  0.25,   1};
  return buckets;
}

Counter* DecisionCounter(Registry& registry, Outcome outcome) {
  return &registry.AddCounter(kDecisions, kDecisionsHelp,
                              {{"outcome", std::string(Name(outcome))}});
}

}  // namespace

SchedulerMetrics::SchedulerMetrics(Registry& r)
    : decisions{DecisionCounter(r, Outcome::kScheduled), DecisionCounter(r, Outcome::kNoClusterFit),
                DecisionCounter(r, Outcome::kUnschedulable), DecisionCounter(r, Outcome::kError)},
      unchanged(r.AddCounter("sealane_scheduler_unchanged_total",
                             "Bindings looked at without a reason to move anything.")),
      writes(r.AddCounter("sealane_scheduler_writes_total", "Rows of placements written.")),
      conflicts(r.AddCounter("sealane_scheduler_write_conflicts_total",
                             "Writes that another writer got in front of.")),
      moves(r.AddCounter("sealane_scheduler_moves_total",
                         "Placements whose clusters or replicas changed.")),
      evictions(r.AddCounter("sealane_scheduler_evictions_total",
                             "Clusters left because they went, no longer match or are tainted.")),
      failovers(r.AddCounter("sealane_scheduler_application_failovers_total",
                             "Clusters that applications left because they failed there.")),
      cluster_failovers(r.AddCounter("sealane_scheduler_cluster_failovers_total",
                                     "Clusters that objects left because of a taint.")),
      held(r.AddCounter("sealane_scheduler_failovers_held_total",
                        "Applications that are not moved any more, because they failed in several "
                        "clusters for the same reason.")),
      cluster_events(r.AddCounter("sealane_scheduler_cluster_events_total",
                                  "Changes of clusters that filters see.")),
      capacity_events(r.AddCounter("sealane_scheduler_capacity_events_total",
                                   "Changes of clusters in capacity or conditions only.")),
      concerned(r.AddCounter("sealane_scheduler_cluster_event_bindings_total",
                             "Bindings looked at because of a change of a cluster.")),
      capacity_requests(r.AddCounter("sealane_scheduler_capacity_requests_total",
                                     "Requests to agents to count how many more replicas fit.")),
      capacity_silent(r.AddCounter("sealane_scheduler_capacity_silent_total",
                                   "Requests to agents that brought no usable answer in time.")),
      capacity_waits(r.AddCounter("sealane_scheduler_capacity_waits_total",
                                  "Decisions that waited for agents to count.")),
      decision_seconds(r.AddHistogram("sealane_scheduler_decision_seconds", "Time of one decision.",
                                      {}, DecisionBuckets())),
      placement_seconds(r.AddHistogram("sealane_scheduler_placement_seconds",
                                       "From a decision to its durable row.")),
      queue_depth(r.AddGauge("sealane_scheduler_queue_depth", "Bindings waiting to be looked at.")),
      queue_age(r.AddGauge("sealane_scheduler_queue_age_seconds",
                           "How long the oldest of them has waited.")),
      bindings(r.AddGauge("sealane_scheduler_bindings", "Bindings known.")),
      unscheduled(r.AddGauge("sealane_scheduler_unscheduled_bindings",
                             "Bindings that nothing fits at the moment.")),
      clusters(r.AddGauge("sealane_scheduler_clusters", "Clusters known.")),
      assumed(r.AddGauge("sealane_scheduler_assumed_placements",
                         "Placements whose capacity no heartbeat shows yet.")),
      short_of_room(r.AddGauge("sealane_scheduler_short_clusters",
                               "Clusters that lack room for what runs there, for so long that "
                               "replicas are asked to leave.")),
      pace_waiting(r.AddGauge("sealane_scheduler_failovers_waiting",
                              "Objects that wait for their turn to leave a tainted cluster.")),
      leader(r.AddGauge("sealane_scheduler_leader", "1 when this process leads.")) {}

}  // namespace sealane::scheduler
