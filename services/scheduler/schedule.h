#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/scheduler/estimator.h"
#include "services/scheduler/filter.h"
#include "services/scheduler/request.h"
#include "services/scheduler/snapshot.h"

namespace sealane::scheduler {

// How a scheduling ended; the words of v1::Placed.state.
enum class Outcome { kScheduled, kNoClusterFit, kUnschedulable, kError };
[[nodiscard]] std::string_view Name(Outcome outcome);

// What the decision about one cluster was, kept small; Explain (explain.h) makes text of it.
struct ClusterVerdict {
  const ClusterInfo* cluster = nullptr;
  FilterMask refused_by = 0;  // 0: feasible
  bool in_use = false;        // part of the placement in force
  bool selected = false;      // by the spread constraints (or because there are none)
  bool estimated = false;
  int32_t tier = 0;
  int32_t score = 0;
  int32_t allocatable = 0;
  int32_t assigned = 0;  // replicas of the placement in force
  int32_t replicas = 0;
  int32_t accurate = -1;  // of `allocatable`: what the agent's answer leaves; -1: it said nothing
};

struct Target {
  std::string cluster;
  int64_t replicas = 0;
  friend bool operator==(const Target&, const Target&) = default;
};

// A group of clusterAffinities that was tried in vain.
struct FailedTerm {
  std::string name;
  Outcome outcome = Outcome::kError;
  std::string message;
};

inline constexpr size_t kMaxUnknownCapacity = 1024;

struct ScheduleResult {
  Outcome outcome = Outcome::kError;
  std::string message;          // for people
  std::vector<Target> targets;  // in name order; only when scheduled
  size_t term = 0;              // of the request: the one that was scheduled, or the last one tried
  std::vector<ClusterVerdict> verdicts;  // in name order, for that term; empty for a bad request
  std::vector<FailedTerm> failed_terms;
  std::string note;
  // Feasible clusters with room whose agent has said nothing about this shape, at most
  // kMaxUnknownCapacity: those that get replicas or have some first, then those that the decision
  // prefers. Only when scheduled, ScheduleInput.accurate is set, and capacity counts.
  std::vector<std::string> unknown_capacity;
};

// By cluster.
using ReplicaCounts = std::map<std::string, int64_t>;

struct ScheduleInput {
  const Request& request;
  const Snapshot& snapshot;
  const Previous& previous;
  const WorkloadGroups* groups = nullptr;
  const AssumedLoads* assumed = nullptr;
  // What agents said about the shape of this request; nullptr: they are not asked. The estimate is
  // the smaller of theirs and the heartbeat's; what is later than `accurate_now` (monotonic)
  // counts.
  const AccurateAnswers* accurate = nullptr;
  absl::Duration accurate_now = absl::ZeroDuration();
  // Clusters without room, whatever is estimated; nullptr: none. The counts do not matter here.
  const ReplicaCounts* full = nullptr;
  int64_t now_micros = 0;  // for tolerations that end
  bool fresh = false;      // divide all replicas anew
  bool new_rules = false;  // the placement in force was computed from other rules
  // Among choices that the spread constraints allow and that have the room, take one with all
  // clusters in use. The planner sets it; Karmada chooses anew each time. Not with `fresh`.
  bool steady = false;
  size_t first_term = 0;         // where to begin; after the last term the earlier ones follow
  size_t term_count = SIZE_MAX;  // how many terms to try
  bool explain = false;          // estimate also where the strategy does not need it
};

// Where the object should run. Pure: the same input gives the same result, and nothing else
// happens. The verdicts point into the snapshot.
[[nodiscard]] ScheduleResult Schedule(const ScheduleInput& input);

// The place of the term with this name, or 0.
[[nodiscard]] size_t TermIndex(const Request& request, std::string_view name);

}  // namespace sealane::scheduler
