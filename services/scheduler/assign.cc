#include "services/scheduler/assign.h"

#include <algorithm>
#include <numeric>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/divide.h"

namespace sealane::scheduler {
namespace {

using Replicas = std::vector<int64_t>;

absl::Status TooLittleRoom(int64_t available, int64_t wanted) {
  return absl::ResourceExhaustedError(
      ToAbsl(StrCat("the clusters have room for ", available, " of ", wanted, " replicas")));
}

// Divides among the clusters, parties[i] standing for clusters[i]; ties are broken by name,
// whatever order they stand in.
Replicas Divide(const Request& request, const Candidates& clusters, int64_t replicas,
                const std::vector<Party>& parties) {
  const auto by_index = [](const Candidate& a, const Candidate& b) { return a.index < b.index; };
  if (std::is_sorted(clusters.begin(), clusters.end(), by_index)) {
    return DivideWebster(replicas, parties, request.names_descending);
  }
  std::vector<size_t> by_name(clusters.size());
  std::iota(by_name.begin(), by_name.end(), size_t{0});
  std::sort(by_name.begin(), by_name.end(),
            [&](size_t a, size_t b) { return clusters[a].index < clusters[b].index; });
  std::vector<Party> sorted;
  sorted.reserve(parties.size());
  for (size_t place : by_name) sorted.push_back(parties[place]);
  const std::vector<int64_t> seats = DivideWebster(replicas, sorted, request.names_descending);
  Replicas result(clusters.size(), 0);
  for (size_t i = 0; i < by_name.size(); ++i) result[by_name[i]] = seats[i];
  return result;
}

std::vector<Party> PartiesOf(const std::vector<int64_t>& votes) {
  std::vector<Party> parties(votes.size());
  for (size_t i = 0; i < votes.size(); ++i) parties[i].votes = votes[i];
  return parties;
}

// Within capacity the division begins with what the clusters hold, unless it is made `anew`: where
// room was short before, none move back by themselves.
absl::StatusOr<Replicas> AssignStatic(const Request& request, const Snapshot& snapshot,
                                      const Candidates& clusters, int64_t replicas, bool anew) {
  std::vector<Party> parties = PartiesOf(StaticVotes(request, snapshot, clusters));
  if (!request.respect_capacity) return Divide(request, clusters, replicas, parties);
  int64_t room = 0;
  for (size_t i = 0; i < clusters.size(); ++i) {
    parties[i].cap = std::max<int64_t>(0, clusters[i].available());
    if (!anew) parties[i].held = clusters[i].assigned;
    if (parties[i].votes > 0) room += parties[i].cap;
  }
  if (room < replicas) return TooLittleRoom(room, replicas);
  return Divide(request, clusters, replicas, parties);
}

// Divides `replicas` by room; Aggregated uses the shortest beginning of the list that has room for
// all: clusters in use first, then those with the most room.
absl::StatusOr<Replicas> DivideByRoom(const Request& request, const Candidates& clusters,
                                      int64_t replicas, std::vector<int64_t> room,
                                      bool prefer_used) {
  const int64_t total = std::accumulate(room.begin(), room.end(), int64_t{0});
  if (total < replicas) return TooLittleRoom(total, replicas);
  if (request.strategy == Strategy::kAggregated) {
    std::vector<size_t> order(clusters.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto before = [&](size_t a, size_t b) {
      const bool a_used = prefer_used && clusters[a].assigned > 0;
      const bool b_used = prefer_used && clusters[b].assigned > 0;
      return a_used != b_used ? a_used : room[a] > room[b];
    };
    // Most often they stand in this order already.
    if (!std::is_sorted(order.begin(), order.end(), before)) {
      std::stable_sort(order.begin(), order.end(), before);
    }
    int64_t sum = 0;
    bool enough = false;
    for (size_t index : order) {
      if (enough) room[index] = 0;
      sum += room[index];
      enough = enough || sum >= replicas;
    }
  }
  return Divide(request, clusters, replicas, PartiesOf(room));
}

absl::StatusOr<Replicas> AssignDynamic(const Request& request, const Candidates& clusters,
                                       int64_t replicas, bool fresh) {
  Replicas assigned(clusters.size());
  std::vector<int64_t> allocatable(clusters.size());
  std::vector<int64_t> available(clusters.size());
  for (size_t i = 0; i < clusters.size(); ++i) {
    assigned[i] = clusters[i].assigned;
    allocatable[i] = clusters[i].allocatable;
    available[i] = clusters[i].available();
  }
  const int64_t sum = std::accumulate(assigned.begin(), assigned.end(), int64_t{0});
  if (fresh) return DivideByRoom(request, clusters, replicas, available, false);
  if (sum == replicas) return assigned;
  if (sum > replicas) return DivideByRoom(request, clusters, replicas, assigned, false);
  SEALANE_ASSIGN_OR_RETURN(Replicas added,
                           DivideByRoom(request, clusters, replicas - sum, allocatable, true));
  for (size_t i = 0; i < added.size(); ++i) added[i] += assigned[i];
  return added;
}

absl::StatusOr<Replicas> AssignGroup(const Request& request, const Snapshot& snapshot,
                                     const Candidates& clusters, int64_t replicas, Keep keep) {
  switch (request.strategy) {
    case Strategy::kDuplicated:
      return Replicas(clusters.size(), replicas);
    case Strategy::kStaticWeight:
      return AssignStatic(request, snapshot, clusters, replicas, keep != Keep::kAll);
    case Strategy::kDynamicWeight:
    case Strategy::kAggregated:
      return AssignDynamic(request, clusters, replicas, keep == Keep::kNothing);
    case Strategy::kUnsupported:
      break;
  }
  const auto& rules = request.binding->placement().replica_scheduling();
  return InvalidArgument(
      StrCat("replicaScheduling is not supported: ", rules.replica_scheduling_type(), " with ",
             rules.replica_division_preference()));
}

// Tier by tier: each takes what it has room for, the next gets the rest.
absl::StatusOr<Replicas> AssignTiers(const Request& request, const AffinityTerm& term,
                                     const Snapshot& snapshot, const Candidates& chosen,
                                     Keep keep) {
  Replicas result(chosen.size(), 0);
  int64_t remaining = request.replicas;
  for (int32_t tier = 0; tier <= static_cast<int32_t>(term.overflow.size()); ++tier) {
    Candidates clusters;
    std::vector<size_t> places;
    int64_t room = 0;
    for (size_t i = 0; i < chosen.size(); ++i) {
      if (chosen[i].tier != tier) continue;
      clusters.push_back(chosen[i]);
      places.push_back(i);
      room += std::max<int64_t>(0, chosen[i].available());
    }
    if (clusters.empty()) continue;
    const int64_t share = std::min(remaining, room);
    SEALANE_ASSIGN_OR_RETURN(const Replicas given,
                             AssignGroup(request, snapshot, clusters, share, keep));
    for (size_t i = 0; i < places.size(); ++i) result[places[i]] = given[i];
    remaining -= share;
    if (remaining <= 0) return result;
  }
  return TooLittleRoom(request.replicas - remaining, request.replicas);
}

}  // namespace

std::vector<int64_t> StaticVotes(const Request& request, const Snapshot& snapshot,
                                 const Candidates& clusters) {
  std::vector<int64_t> votes(clusters.size(), 0);
  bool any = false;
  for (const StaticWeight& weight : request.weights) {
    const RuleInSnapshot rule(weight.clusters, snapshot);
    for (size_t i = 0; i < clusters.size(); ++i) {
      if (weight.weight <= votes[i] || !rule.Matches(clusters[i].index, *clusters[i].cluster)) {
        continue;
      }
      votes[i] = weight.weight;
      any = true;
    }
  }
  if (!any) std::fill(votes.begin(), votes.end(), 1);
  return votes;
}

absl::StatusOr<std::vector<int64_t>> AssignReplicas(const Request& request,
                                                    const AffinityTerm& term,
                                                    const Snapshot& snapshot,
                                                    const Candidates& chosen, Keep keep) {
  if (!request.workload) return Replicas(chosen.size(), 0);
  if (!term.overflow.empty()) return AssignTiers(request, term, snapshot, chosen, keep);
  return AssignGroup(request, snapshot, chosen, request.replicas, keep);
}

}  // namespace sealane::scheduler
