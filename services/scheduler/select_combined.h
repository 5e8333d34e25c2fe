#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "services/scheduler/candidate.h"
#include "services/scheduler/request.h"

namespace sealane::scheduler {

// Chooses clusters under any number of spread constraints at once, also by zone, where one cluster
// may stand in several groups: the clusters chosen cover between min and max groups of every
// constraint.
//
// Clusters that stand in the same groups of every constraint are alike to the constraints: the
// search takes the first of them in the given order, so it is as wide as there are kinds of
// clusters, not clusters. First a smallest set that reaches every minimum is searched, candidates
// that help more constraints first, then in their given order; then it is filled up in order, as
// far as every maximum allows. The search takes at most `budget` steps, and at most four million
// looks at a kind in all: it is exact while it does not run out, and says so when it does
// (FAILED_PRECONDITION in both cases). What it returns meets every constraint in any case.
[[nodiscard]] absl::StatusOr<Candidates> ChooseCombined(const Request& request,
                                                        const Candidates& candidates,
                                                        int64_t budget = 20'000);

}  // namespace sealane::scheduler
