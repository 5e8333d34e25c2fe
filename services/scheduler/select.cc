#include "services/scheduler/select.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "services/scheduler/select_combined.h"
#include "services/scheduler/select_groups.h"

namespace sealane::scheduler {
namespace {

using By = SpreadRule::By;

constexpr int64_t kAnyNumber = std::numeric_limits<int64_t>::max();
constexpr int64_t kWeightUnit = 1000;  // capacity counts first, the score of clusters second

// The constraints of a request, sorted by kind.
struct Rules {
  SpreadRule cluster;  // by cluster; unbounded when there is none
  bool has_cluster = false;
  const SpreadRule* group = nullptr;  // the grouping, when there is one only
  bool combined = false;              // several groupings, or zones
};

Rules RulesOf(const Request& request) {
  Rules rules;
  rules.cluster.max_groups = kAnyNumber;
  for (const SpreadRule& rule : request.spread) {
    if (rule.by == By::kCluster) {
      rules.cluster = rule;
      rules.has_cluster = true;
      continue;
    }
    if (rules.group != nullptr || rule.by == By::kZone) rules.combined = true;
    rules.group = &rule;
  }
  return rules;
}

// Replicas that the chosen clusters must have room for; -1: capacity does not matter.
int64_t NeededReplicas(const Request& request) {
  if (request.component_sets) return 1;
  return request.CountsCapacity() ? request.replicas : -1;
}

int64_t SumAvailable(const Candidates& candidates, size_t count) {
  int64_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += candidates[i].available();
  return sum;
}

// By cluster alone: the best ones; when they have too little room, the last of them give way to
// those with the most room. Source: select_clusters_by_cluster.go.
absl::StatusOr<Selection> SelectByCluster(const SpreadRule& rule, int64_t needed,
                                          Candidates candidates) {
  const auto total = static_cast<int64_t>(candidates.size());
  if (total < rule.min_groups) {
    return FailedPrecondition(StrCat("only ", total,
                                     " clusters are feasible, the spread constraint by "
                                     "cluster wants at least ",
                                     rule.min_groups));
  }
  const auto count = static_cast<size_t>(std::min(total, rule.max_groups));
  if (needed >= 0) {
    // The rest: those with the most room first, equal ones in their order.
    using Roomy = std::pair<int64_t, size_t>;  // -room, place
    std::priority_queue<Roomy, std::vector<Roomy>, std::greater<>> rest;
    int64_t sum = SumAvailable(candidates, count);
    if (sum < needed) {
      for (size_t i = count; i < candidates.size(); ++i)
        rest.emplace(-candidates[i].available(), i);
    }
    for (size_t i = count; i > 0 && sum < needed && !rest.empty(); --i) {
      const auto [room, place] = rest.top();
      Candidate& last = candidates[i - 1];
      if (-room <= last.available()) continue;
      rest.pop();
      sum += -room - last.available();
      rest.emplace(-last.available(), place);
      std::swap(last, candidates[place]);
    }
    if (sum < needed) {
      return FailedPrecondition(
          StrCat("no ", count, " clusters have room for ", needed, " replicas together"));
    }
  }
  candidates.resize(count);
  return Selection{std::move(candidates), ""};
}

// How good a group is for objects that every chosen cluster gets whole: first the clusters with
// room for all replicas, then their mean score.
int64_t DuplicatedWeight(const Candidates& group, int64_t replicas) {
  int64_t valid = 0;
  int64_t score = 0;
  for (const Candidate& candidate : group) {
    if (candidate.available() < replicas) continue;
    ++valid;
    score += candidate.score;
  }
  return valid == 0 ? 0 : valid * kWeightUnit + score / valid;
}

// How good a group is for divided replicas: first how much of its share fits into its best
// clusters, then their mean score. Source: group_clusters.go, calcGroupScore.
int64_t DividedWeight(const Candidates& group, int64_t replicas, int64_t min_groups,
                      int64_t min_clusters) {
  const int64_t groups = std::max<int64_t>(1, min_groups);
  const int64_t target = (replicas + groups - 1) / groups;
  const int64_t enough = std::max(min_clusters, groups);
  int64_t available = 0;
  int64_t score = 0;
  int64_t count = 0;
  for (const Candidate& candidate : group) {
    available += candidate.available();
    score += candidate.score;
    ++count;
    if (count >= enough && available >= target) break;
  }
  if (available < target) {
    return available * kWeightUnit + score / static_cast<int64_t>(group.size());
  }
  return target * kWeightUnit + score / count;
}

// By one grouping: the best groups, the best cluster of each, then the best of the rest.
// Source: select_clusters_by_region.go.
absl::StatusOr<Selection> SelectByGroup(const Request& request, const Rules& rules,
                                        const Candidates& candidates) {
  const SpreadRule& rule = *rules.group;
  std::map<std::string, Candidates> by_name;
  for (const Candidate& candidate : candidates) {
    for (std::string_view name : GroupNames(rule, *candidate.cluster)) {
      by_name[std::string(name)].push_back(candidate);
    }
  }
  if (static_cast<int64_t>(by_name.size()) < rule.min_groups) {
    return FailedPrecondition(StrCat("feasible clusters stand in ", by_name.size(),
                                     " groups only, the spread constraint by ", rule.Describe(),
                                     " wants at least ", rule.min_groups));
  }
  std::vector<Group> groups;
  std::vector<const Candidates*> members;
  for (const auto& entry : by_name) {
    Group& group = groups.emplace_back();
    group.name = entry.first;
    group.value = static_cast<int64_t>(entry.second.size());
    group.weight = request.strategy == Strategy::kDuplicated
                       ? DuplicatedWeight(entry.second, request.replicas)
                       : DividedWeight(entry.second, request.replicas, rule.min_groups,
                                       rules.cluster.min_groups);
    members.push_back(&entry.second);
  }
  const GroupChoice choice =
      ChooseGroups(groups, {rule.min_groups, rule.max_groups, rules.cluster.min_groups});
  if (choice.groups.empty()) {
    return FailedPrecondition(StrCat("no choice of groups by ", rule.Describe(),
                                     " has the clusters that the constraint by cluster wants (",
                                     rules.cluster.min_groups, ")"));
  }
  Selection selection;
  if (!choice.best_score) {
    selection.note = StrCat("groups by ", rule.Describe(), " were chosen by the bounded method");
  }
  Candidates rest;
  for (size_t index : choice.groups) {
    selection.chosen.push_back(members[index]->front());
    rest.insert(rest.end(), members[index]->begin() + 1, members[index]->end());
  }
  SortCandidates(rest);
  for (const Candidate& candidate : rest) {
    if (static_cast<int64_t>(selection.chosen.size()) >= rules.cluster.max_groups) break;
    selection.chosen.push_back(candidate);
  }
  return selection;
}

void PutRoomFirst(Candidates& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return a.tier != b.tier ? a.tier < b.tier : a.available() > b.available();
                   });
}

// By several groupings or zones. When the best clusters have too little room, once more with those
// that have the most room first, until a choice has the room.
absl::StatusOr<Selection> SelectCombined(const Request& request, Candidates candidates) {
  const int64_t needed = NeededReplicas(request);
  SEALANE_ASSIGN_OR_RETURN(Candidates chosen, ChooseCombined(request, candidates));
  if (SumAvailable(chosen, chosen.size()) >= needed) return Selection{std::move(chosen), ""};
  PutRoomFirst(candidates);
  SEALANE_ASSIGN_OR_RETURN(chosen, ChooseCombined(request, candidates, {needed}));
  return Selection{std::move(chosen), ""};
}

absl::StatusOr<Selection> SelectAnew(const Request& request, const Rules& rules,
                                     Candidates candidates) {
  if (rules.combined) return SelectCombined(request, std::move(candidates));
  if (rules.group != nullptr) return SelectByGroup(request, rules, candidates);
  return SelectByCluster(rules.cluster, NeededReplicas(request), std::move(candidates));
}

// Those in use first; should not all of them be allowed, then those with the most replicas.
void PutInUseFirst(Candidates& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     if (a.in_use != b.in_use) return a.in_use;
                     return a.in_use && a.assigned > b.assigned;
                   });
}

// The clusters in use, and beside them what the constraints and the room need.
absl::StatusOr<Candidates> KeepInUse(const Request& request, const Rules& rules,
                                     Candidates candidates) {
  const int64_t needed = NeededReplicas(request);
  PutInUseFirst(candidates);
  if (rules.group == nullptr) {
    SEALANE_ASSIGN_OR_RETURN(Selection selection,
                             SelectByCluster(rules.cluster, needed, std::move(candidates)));
    return std::move(selection.chosen);
  }
  CombinedGoal goal;
  goal.needed = needed;
  goal.keep_in_use = true;
  goal.one_grouping = !rules.combined;
  return ChooseCombined(request, candidates, goal);
}

// How many of the clusters could take all replicas of a duplicated object.
int64_t WithRoomForAll(const Request& request, const Candidates& clusters) {
  return std::count_if(clusters.begin(), clusters.end(), [&](const Candidate& cluster) {
    return cluster.available() >= request.replicas;
  });
}

// Karmada's choice by one grouping sees each group's share of the replicas, not which clusters will
// be taken: where these have too little room, others that have it are looked for.
absl::StatusOr<Selection> SelectWithRoom(const Request& request, const Rules& rules,
                                         Candidates candidates) {
  absl::StatusOr<Selection> selection = SelectAnew(request, rules, candidates);
  CombinedGoal goal;
  goal.needed = NeededReplicas(request);
  goal.one_grouping = true;
  if (rules.group == nullptr || rules.combined || !selection.ok() ||
      SumAvailable(selection->chosen, selection->chosen.size()) >= goal.needed) {
    return selection;
  }
  PutRoomFirst(candidates);
  absl::StatusOr<Candidates> roomy = ChooseCombined(request, candidates, goal);
  if (roomy.ok()) selection->chosen = *std::move(roomy);
  return selection;
}

absl::StatusOr<Selection> SelectSteadily(const Request& request, const Rules& rules,
                                         Candidates candidates) {
  if (std::none_of(candidates.begin(), candidates.end(),
                   [](const Candidate& candidate) { return candidate.in_use; })) {
    return SelectWithRoom(request, rules, std::move(candidates));
  }
  absl::StatusOr<Candidates> kept = KeepInUse(request, rules, candidates);
  if (!kept.ok()) return SelectWithRoom(request, rules, std::move(candidates));
  SortCandidates(*kept);
  const bool duplicated = request.workload && request.strategy == Strategy::kDuplicated;
  const bool room = std::all_of(kept->begin(), kept->end(), [&](const Candidate& cluster) {
    return !cluster.in_use || cluster.available() >= request.replicas;
  });
  if (duplicated && !room) {
    absl::StatusOr<Selection> anew = SelectAnew(request, rules, std::move(candidates));
    if (anew.ok() && WithRoomForAll(request, anew->chosen) > WithRoomForAll(request, *kept)) {
      return anew;
    }
  }
  return Selection{*std::move(kept), ""};
}

}  // namespace

absl::StatusOr<Selection> SelectClusters(const Request& request, Candidates candidates,
                                         bool steady) {
  if (request.spread.empty() || request.all_clusters) return Selection{std::move(candidates), ""};
  if (request.IgnoresSpread()) {
    return Selection{std::move(candidates),
                     "spread constraints are ignored with static weights (set "
                     "sealane.io/honour-spread: \"true\" to apply them)"};
  }
  const Rules rules = RulesOf(request);
  return steady ? SelectSteadily(request, rules, std::move(candidates))
                : SelectAnew(request, rules, std::move(candidates));
}

std::string SpreadShortfall(const Request& request, const Candidates& chosen,
                            const std::vector<int64_t>& replicas) {
  if (!request.workload || request.replicas == 0 || request.all_clusters ||
      request.strategy == Strategy::kDuplicated || request.IgnoresSpread()) {
    return "";
  }
  std::vector<std::string> parts;
  for (const SpreadRule& rule : request.spread) {
    std::set<std::string_view> groups;
    for (size_t i = 0; i < chosen.size(); ++i) {
      if (replicas[i] <= 0) continue;
      for (std::string_view name : GroupNames(rule, *chosen[i].cluster)) groups.insert(name);
    }
    const auto count = static_cast<int64_t>(groups.size());
    if (count >= rule.min_groups) continue;
    parts.push_back(StrCat("the spread constraint by ", rule.Describe(), " wants at least ",
                           rule.min_groups,
                           ": so many were chosen, but the division gave "
                           "replicas to ",
                           count, " only"));
  }
  return StrJoin(parts, "; ");
}

}  // namespace sealane::scheduler
