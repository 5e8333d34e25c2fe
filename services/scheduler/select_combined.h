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
// First a smallest set that reaches every minimum is searched, candidates that help more
// constraints first, then in their given order; then it is filled up in order, as far as every
// maximum allows. The search takes at most `budget` steps: it is exact while it does not run out,
// and says so when it does (FAILED_PRECONDITION in both cases).
[[nodiscard]] absl::StatusOr<Candidates> ChooseCombined(const Request& request,
                                                        const Candidates& candidates,
                                                        int64_t budget = 20'000);

}  // namespace sealane::scheduler
