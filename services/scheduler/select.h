#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/scheduler/candidate.h"
#include "services/scheduler/request.h"

namespace sealane::scheduler {

// What became of the choice among the feasible clusters.
struct Selection {
  Candidates chosen;  // in the order in which the assignment prefers them
  std::string note;   // for people: a rule that was ignored, an approximation that was used
};

// Chooses clusters by the spread constraints of the request. `candidates` are sorted
// (SortCandidates). FAILED_PRECONDITION says which constraint cannot be met.
//
// Constraints by cluster, alone or with one of region, provider or label, follow Karmada's region
// algorithm; zones (of which a cluster may have several) and several groupings at once use a
// bounded search (select_combined.h). docs/scheduling.md explains both with examples.
//
// `steady`: when some choice that meets the constraints has all clusters in use and the room, one
// such choice is taken. Only duplicated objects leave clusters that have too little room for all
// replicas, where more clusters with room can be had. And when Karmada's choice of groups has too
// little room, another that has it is looked for.
[[nodiscard]] absl::StatusOr<Selection> SelectClusters(const Request& request,
                                                       Candidates candidates, bool steady = false);

// The constraints hold for the clusters that are chosen; the division may give some of them
// nothing. Says which minimum the clusters with replicas miss; "" when none.
[[nodiscard]] std::string SpreadShortfall(const Request& request, const Candidates& chosen,
                                          const std::vector<int64_t>& replicas);

}  // namespace sealane::scheduler
