#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sealane/v1/tables.pb.h"
#include "services/scheduler/schedule.h"

namespace sealane::scheduler {

// How many clusters a placement's row tells reasons for; `explain` tells all.
inline constexpr size_t kMaxDecisions = 32;
// Key in Placed.observed_options: the rebalance (its time, micros) that the placement answers.
inline constexpr std::string_view kRebalancedKey = "sealane.io/rebalanced-at";

// ... the newest join of a cluster (micros) that the placement has been spread onto, or was made
// after.
inline constexpr std::string_view kJoinedKey = "sealane.io/joined-until";

// Since when (micros) each earlier group of clusterAffinities could take an object back without a
// break, by the group's name.
using FailbackClocks = std::map<std::string, int64_t>;

inline constexpr int kDefaultFailoverLimit = 3;

struct PlanInput {
  const v1::Binding& binding;
  const v1::Placed* placed = nullptr;  // the row in force; nullptr: none
  const Snapshot& snapshot;
  const WorkloadGroups* groups = nullptr;
  const AssumedLoads* assumed = nullptr;
  const AccurateAnswers* accurate = nullptr;  // see ScheduleInput
  absl::Duration accurate_now = absl::ZeroDuration();
  int64_t now_micros = 0;
  int64_t rebalance_micros = 0;  // newest manual rebalance that names the object; 0: none
  // Replicas that have to leave clusters which lost capacity; nullptr: none.
  const ReplicaCounts* capacity_lost = nullptr;
  const FailbackClocks* failback = nullptr;  // of the last plan; nullptr: none runs
  std::vector<std::string> evicting = {};    // clusters to leave, besides those of the binding
  const Vicinity* vicinity = nullptr;        // see Request
  bool settling = false;                     // copies still stay because of an earlier move
  // Copies that only stay for a while are left out: the plan says where everything ends.
  bool settled = false;
  // After failures in so many clusters for the same reason application failover holds an object
  // where it is; 0: never.
  int failover_limit = kDefaultFailoverLimit;
  // Over how long returns to a cluster or group that is available again are spread.
  absl::Duration failback_spread = absl::ZeroDuration();
};

// What to do about one binding.
struct Plan {
  bool write = false;  // `row` differs from the row in force
  v1::Placed row;
  bool moved = false;  // the clusters changed
  std::string cause;   // why it was scheduled; empty: there was no reason to
  Outcome outcome = Outcome::kScheduled;
  int64_t again_at_micros = 0;  // look again then, whatever happens; 0: no need
  FailbackClocks failback;      // to be handed in with the next plan
  // Clusters whose agents could tell how many replicas fit, when the plan depends on it.
  std::vector<std::string> unknown_capacity;
  bool step = false;    // of a rebalance: nothing goes before what takes its place is ready
  int64_t evicted = 0;  // clusters that were left because of taints or because they went
};

// Decides what the placement of a binding should be. Pure. Schedules only for a reason, and leaves
// alone what is well placed; see docs/scheduling.md, "When something moves". When nothing fits, the
// clusters in force stay and the row says why.
[[nodiscard]] Plan PlanPlacement(const PlanInput& input);

// "Never" (also for an empty text) is InfiniteDuration; "WhenHealthyFor=5m" is 5 minutes; anything
// else is INVALID_ARGUMENT.
[[nodiscard]] absl::StatusOr<absl::Duration> ParseFailback(std::string_view text);

}  // namespace sealane::scheduler
