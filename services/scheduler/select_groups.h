#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sealane::scheduler {

// A group of clusters (a region) that may be chosen.
struct Group {
  std::string name;
  int64_t value = 0;   // clusters in it
  int64_t weight = 0;  // its score
};

// What the choice of groups must meet.
struct GroupRule {
  int64_t min_groups = 0;
  int64_t max_groups = 0;
  int64_t target = 0;  // clusters that the chosen groups must have together
};

struct GroupChoice {
  std::vector<size_t> groups;  // indices, in the order of weight (high first), then name
  bool exact = true;           // false: not by walking through all combinations
  bool best_score = true;      // false: by the last resort, which may miss the best score
};

// A table of more steps than this is not filled in (see ChooseGroups).
inline constexpr int64_t kGroupTableWork = 2'000'000;

// Chooses the best groups: among the combinations that meet the rule, grown from small groups to
// large and no further than needed, the one with the largest weight, then value; but a shorter
// combination that is the beginning of the best one is preferred. Empty when no combination meets
// the rule. Source: Karmada's select_groups.go, whose search is exponential. Here, when the search
// would take more than `budget` steps, a table gives the same score (combinations of equal weight
// and value may be told apart otherwise). Only where the table would take more than `table_work`
// steps (hundreds of groups and a target of hundreds of clusters) a last resort answers in time
// O(n²). Its bound: let k be the smallest number of groups, at least min_groups, such that some k
// groups reach the target. If k <= max_groups it chooses k groups that reach the target, and
// their weight is at least that of the k groups with the most clusters; else it chooses none, and
// then no combination meets the rule. (Some k groups reach the target just when the k largest do:
// from these it starts, and each exchange keeps the number and the target and loses no weight.)
// It promises no share of the best weight, which more groups, or others, may have.
[[nodiscard]] GroupChoice ChooseGroups(const std::vector<Group>& groups, const GroupRule& rule,
                                       int64_t budget = 20'000,
                                       int64_t table_work = kGroupTableWork);

}  // namespace sealane::scheduler
