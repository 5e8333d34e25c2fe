#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "services/scheduler/snapshot.h"

namespace sealane::scheduler {

// "As many as one likes": the estimate for objects that need no capacity.
inline constexpr int64_t kUnlimited = std::numeric_limits<int32_t>::max();

// A cluster that passed the filters.
struct Candidate {
  const ClusterInfo* cluster = nullptr;
  uint32_t index = 0;       // in the snapshot; candidates in index order are in name order
  int32_t tier = 0;         // 0: of the group itself; n: of its n-th overflow tier
  int32_t score = 0;        // sum over the score plugins
  int32_t allocatable = 0;  // estimate of how many more replicas fit, at most kUnlimited
  int32_t assigned = 0;     // replicas of the placement in force
  bool in_use = false;      // part of the placement in force

  [[nodiscard]] int64_t available() const { return int64_t{allocatable} + assigned; }
};

using Candidates = std::vector<Candidate>;

// The order of preference: tier, score (high first), available (high first), name.
void SortCandidates(Candidates& candidates);

}  // namespace sealane::scheduler
