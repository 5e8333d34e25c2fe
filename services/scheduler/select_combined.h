#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/scheduler/candidate.h"
#include "services/scheduler/request.h"

namespace sealane::scheduler {

// The groups in which the cluster stands under a constraint: none, one, or for zones several. They
// point into the cluster.
[[nodiscard]] std::vector<std::string_view> GroupNames(const SpreadRule& rule,
                                                       const ClusterInfo& cluster);

// What the choice must meet beside the spread constraints, and how long it may take.
struct CombinedGoal {
  int64_t needed = -1;      // replicas that the clusters must have room for together; -1: any room
  int64_t budget = 20'000;  // steps of the search
  // Take first the candidates in use that the maxima allow; they must stand at the beginning. Only
  // choices with these are looked for.
  bool keep_in_use = false;
  // As in the choice by one grouping: no group is covered for filling up only, and where a minimum
  // of groups is larger than the maximum of clusters, it counts in its place.
  bool one_grouping = false;
};

// Chooses clusters under any number of spread constraints at once, also by zone, where one cluster
// may stand in several groups: the clusters chosen cover between min and max groups of every
// constraint.
//
// Clusters that stand in the same groups of every constraint (and the same overflow tier) are
// alike to the constraints: the search takes the first of them in the given order, so it is as
// wide as there are kinds of clusters, not clusters. It takes clusters until every minimum is
// reached, first those that help more constraints, then in the given order; then it fills up in
// that order, as far as every maximum allows. The first choice that gets there and has the room is
// the answer: it need not be the smallest, and where all clusters of a kind have the same room or
// stand with the most room first, there is one whenever any choice of clusters has the room.
//
// The search takes at most `budget` steps, and at most four million looks at kinds and at
// clusters to fill up with: it is exact while it does not run out. FAILED_PRECONDITION says whether
// there is no choice or none was found in that time. What it returns meets every constraint in any
// case.
[[nodiscard]] absl::StatusOr<Candidates> ChooseCombined(const Request& request,
                                                        const Candidates& candidates,
                                                        const CombinedGoal& goal = {});

}  // namespace sealane::scheduler
