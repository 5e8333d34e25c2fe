#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/services/scheduler/worlds.h"

namespace sealane::scheduler {

// The groups of a cluster under a spread constraint, as a user counts them.
inline std::set<std::string> GroupsOf(const SpreadRule& rule, const ClusterInfo& cluster) {
  switch (rule.by) {
    case SpreadRule::By::kCluster:
      return {cluster.name};
    case SpreadRule::By::kRegion:
      return {cluster.region};
    case SpreadRule::By::kProvider:
      return {cluster.provider};
    case SpreadRule::By::kZone:
      return {cluster.zones.begin(), cluster.zones.end()};
    case SpreadRule::By::kLabel:
      break;
  }
  const std::string* value = LabelsView(cluster.labels).Find(rule.label);
  return value == nullptr ? std::set<std::string>() : std::set<std::string>{*value};
}

inline int64_t CountGroups(const SpreadRule& rule,
                           const std::vector<const ClusterInfo*>& clusters) {
  std::set<std::string> groups;
  for (const ClusterInfo* cluster : clusters) groups.merge(GroupsOf(rule, *cluster));
  return static_cast<int64_t>(groups.size());
}

inline bool Meets(const Request& request, const std::vector<const ClusterInfo*>& clusters) {
  return std::all_of(request.spread.begin(), request.spread.end(), [&](const SpreadRule& rule) {
    const int64_t count = CountGroups(rule, clusters);
    return count >= rule.min_groups && count <= rule.max_groups;
  });
}

inline std::vector<const ClusterInfo*> Selected(const ScheduleResult& result) {
  std::vector<const ClusterInfo*> clusters;
  for (const ClusterVerdict& verdict : result.verdicts) {
    if (verdict.selected) clusters.push_back(verdict.cluster);
  }
  return clusters;
}

// The most room of a set of feasible clusters that meets all constraints and has all that are in
// use; -1: there is none. Looks at every set.
inline int64_t MostRoom(const Request& request, const std::vector<ClusterVerdict>& verdicts) {
  std::vector<const ClusterVerdict*> feasible;
  for (const ClusterVerdict& verdict : verdicts) {
    if (verdict.refused_by == 0) feasible.push_back(&verdict);
    if (verdict.refused_by != 0 && verdict.in_use) return -1;
  }
  int64_t most = -1;
  for (uint32_t set = 1; set < uint32_t{1} << feasible.size(); ++set) {
    std::vector<const ClusterInfo*> chosen;
    int64_t room = 0;
    bool keeps = true;
    for (size_t i = 0; i < feasible.size(); ++i) {
      const ClusterVerdict& verdict = *feasible[i];
      if ((set >> i & 1) == 0) {
        keeps = keeps && !verdict.in_use;
        continue;
      }
      chosen.push_back(verdict.cluster);
      room += int64_t{verdict.allocatable} + verdict.assigned;
    }
    if (keeps && room > most && (request.IgnoresSpread() || Meets(request, chosen))) most = room;
  }
  return most;
}

}  // namespace sealane::scheduler
