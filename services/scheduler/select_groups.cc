#include "services/scheduler/select_groups.h"

#include <algorithm>
#include <numeric>

namespace sealane::scheduler {
namespace {

struct Combination {
  std::vector<size_t> groups;  // in the order of weight, then name
  int64_t weight = 0;
  int64_t value = 0;
  size_t id = 0;  // order of discovery
};

bool Heavier(const std::vector<Group>& groups, size_t a, size_t b) {
  if (groups[a].weight != groups[b].weight) return groups[a].weight > groups[b].weight;
  return groups[a].name < groups[b].name;
}

// Walks the combinations in Karmada's order, up to a number of steps.
class Search {
 public:
  Search(const std::vector<Group>& groups, const GroupRule& rule, int64_t budget)
      : groups_(groups), rule_(rule), budget_(budget), order_(groups.size()) {
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::sort(order_.begin(), order_.end(), [&](size_t a, size_t b) {
      if (groups[a].value != groups[b].value) return groups[a].value < groups[b].value;
      return Heavier(groups, a, b);
    });
    // What the groups from a place on can add at most, for pruning.
    rest_.assign(order_.size() + 1, 0);
    for (size_t i = order_.size(); i > 0; --i) {
      rest_[i - 1] = rest_[i] + groups[order_[i - 1]].value;
    }
  }

  // False when the budget is used up.
  bool Run() {
    Walk(0, 0);
    return budget_ >= 0;
  }
  [[nodiscard]] std::vector<Combination>& found() { return found_; }

 private:
  void Walk(int64_t sum, size_t begin) {
    if (--budget_ < 0) return;
    const auto length = static_cast<int64_t>(path_.size());
    if (sum >= rule_.target && length >= rule_.min_groups && length <= rule_.max_groups) {
      Keep(sum);
      return;
    }
    if (length >= rule_.max_groups) return;
    for (size_t i = begin; i < order_.size() && budget_ >= 0; ++i) {
      const auto rest = static_cast<int64_t>(order_.size() - i);
      if (sum + rest_[i] < rule_.target || length + rest < rule_.min_groups) break;
      path_.push_back(order_[i]);
      Walk(sum + groups_[order_[i]].value, i + 1);
      path_.pop_back();
    }
  }

  void Keep(int64_t sum) {
    Combination& combination = found_.emplace_back();
    combination.groups = path_;
    combination.value = sum;
    combination.id = found_.size();
    for (size_t index : path_) combination.weight += groups_[index].weight;
    std::sort(combination.groups.begin(), combination.groups.end(),
              [this](size_t a, size_t b) { return Heavier(groups_, a, b); });
  }

  const std::vector<Group>& groups_;
  const GroupRule& rule_;
  int64_t budget_;
  std::vector<size_t> order_;
  std::vector<int64_t> rest_;
  std::vector<size_t> path_;
  std::vector<Combination> found_;
};

bool IsPrefix(const std::vector<size_t>& part, const std::vector<size_t>& whole) {
  return part.size() < whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

std::vector<size_t> Best(std::vector<Combination>& found) {
  if (found.empty()) return {};
  std::sort(found.begin(), found.end(), [](const Combination& a, const Combination& b) {
    if (a.weight != b.weight) return a.weight > b.weight;
    if (a.value != b.value) return a.value > b.value;
    return a.id < b.id;
  });
  std::vector<size_t> best = found.front().groups;
  for (const Combination& combination : found) {
    if (IsPrefix(combination.groups, best)) best = combination.groups;
  }
  return best;
}

bool Meets(const GroupRule& rule, int64_t sum, int64_t length) {
  return sum >= rule.target && length >= rule.min_groups;
}

// The best combination without walking through all of them: for each number of groups and each
// number of clusters (as far as the target), the best beginning of a combination. The same score as
// the search finds, in the time that groups x numbers of groups x target take; equal ones may be
// told apart otherwise. Empty `done` when that is too long.
class Tabulation {
 public:
  Tabulation(const std::vector<Group>& groups, const GroupRule& rule)
      : groups_(groups), rule_(rule) {
    const auto count = static_cast<int64_t>(groups.size());
    target_ = std::max<int64_t>(0, rule.target);
    // Every group has a cluster: longer beginnings meet the rule already.
    longest_ = std::min({count, rule.max_groups, std::max(rule.min_groups, target_)});
    longest_ = std::max<int64_t>(1, longest_);
  }

  [[nodiscard]] bool Affordable(int64_t work) const {
    const auto count = static_cast<int64_t>(groups_.size());
    return target_ < work && longest_ < work / (target_ + 1) &&
           count < work / ((target_ + 1) * longest_);
  }

  std::vector<size_t> Run() {
    if (Meets(rule_, 0, 0)) return {};
    table_.assign(static_cast<size_t>(longest_ * (target_ + 1)), Cell());
    At(0, 0) = {true, 0, 0, kNone};
    std::vector<size_t> order(groups_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      if (groups_[a].value != groups_[b].value) return groups_[a].value < groups_[b].value;
      return Heavier(groups_, a, b);
    });
    for (size_t item : order) Add(item);
    if (!best_.reached) return {};
    std::vector<size_t> chosen;
    for (size_t node = best_.node; node != kNone; node = nodes_[node].before) {
      chosen.push_back(nodes_[node].item);
    }
    std::sort(chosen.begin(), chosen.end(),
              [&](size_t a, size_t b) { return Heavier(groups_, a, b); });
    return Shortest(chosen);
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  struct Cell {
    bool reached = false;
    int64_t weight = 0;
    int64_t value = 0;
    size_t node = kNone;
  };
  struct Node {
    size_t item;
    size_t before;
  };

  Cell& At(int64_t length, int64_t sum) {
    return table_[static_cast<size_t>(length * (target_ + 1) + sum)];
  }

  static bool Better(const Cell& a, int64_t weight, int64_t value) {
    return !a.reached || weight > a.weight || (weight == a.weight && value > a.value);
  }

  void Add(size_t item) {
    const Group& group = groups_[item];
    for (int64_t length = longest_ - 1; length >= 0; --length) {
      for (int64_t sum = target_; sum >= 0; --sum) {
        const Cell from = At(length, sum);
        if (!from.reached) continue;
        const int64_t weight = from.weight + group.weight;
        const int64_t value = from.value + group.value;
        const int64_t reached = std::min(target_, sum + group.value);
        const bool meets = Meets(rule_, reached, length + 1);
        if (!meets && length + 1 >= longest_) continue;
        Cell& to = meets ? best_ : At(length + 1, reached);
        if (!Better(to, weight, value)) continue;
        nodes_.push_back({item, from.node});
        to = {true, weight, value, nodes_.size() - 1};
      }
    }
  }

  // A beginning (in the order of weight) that the search would have found too is preferred.
  std::vector<size_t> Shortest(const std::vector<size_t>& chosen) const {
    int64_t sum = 0;
    int64_t largest = 0;
    for (size_t i = 0; i < chosen.size(); ++i) {
      sum += groups_[chosen[i]].value;
      largest = std::max(largest, groups_[chosen[i]].value);
      const auto length = static_cast<int64_t>(i) + 1;
      if (Meets(rule_, sum, length) && !Meets(rule_, sum - largest, length - 1)) {
        return {chosen.begin(), chosen.begin() + length};
      }
    }
    return chosen;
  }

  const std::vector<Group>& groups_;
  const GroupRule& rule_;
  int64_t target_ = 0;
  int64_t longest_ = 1;
  std::vector<Cell> table_;  // beginnings that do not meet the rule yet
  std::vector<Node> nodes_;
  Cell best_;
};

// The last resort: the smallest number of groups whose largest reach the target, then each
// heavier group takes the place of the lightest chosen one as long as the target is still reached.
std::vector<size_t> Bounded(const std::vector<Group>& groups, const GroupRule& rule) {
  std::vector<size_t> by_value(groups.size());
  std::iota(by_value.begin(), by_value.end(), size_t{0});
  std::sort(by_value.begin(), by_value.end(), [&](size_t a, size_t b) {
    if (groups[a].value != groups[b].value) return groups[a].value > groups[b].value;
    return Heavier(groups, a, b);
  });
  std::vector<size_t> chosen;
  int64_t sum = 0;
  for (size_t index : by_value) {
    const auto count = static_cast<int64_t>(chosen.size());
    if (count >= rule.min_groups && sum >= rule.target) break;
    if (count >= rule.max_groups) break;
    chosen.push_back(index);
    sum += groups[index].value;
  }
  const auto count = static_cast<int64_t>(chosen.size());
  if (count < rule.min_groups || sum < rule.target) return {};

  std::vector<size_t> others(by_value.begin() + count, by_value.end());
  const auto heavier = [&](size_t a, size_t b) { return Heavier(groups, a, b); };
  std::sort(others.begin(), others.end(), heavier);
  std::sort(chosen.begin(), chosen.end(), heavier);
  for (size_t other : others) {
    // From the lightest on: the first whose place it can take.
    for (size_t i = chosen.size(); i > 0; --i) {
      const size_t member = chosen[i - 1];
      if (!heavier(other, member)) break;
      const int64_t changed = sum - groups[member].value + groups[other].value;
      if (changed < rule.target) continue;
      sum = changed;
      chosen.erase(chosen.begin() + static_cast<std::ptrdiff_t>(i - 1));
      chosen.insert(std::lower_bound(chosen.begin(), chosen.end(), other, heavier), other);
      break;
    }
  }
  return chosen;
}

}  // namespace

GroupChoice ChooseGroups(const std::vector<Group>& groups, const GroupRule& rule, int64_t budget,
                         int64_t table_work) {
  if (groups.empty() || rule.max_groups < rule.min_groups) return {};
  Search search(groups, rule, budget);
  if (search.Run()) return {Best(search.found()), true, true};
  Tabulation table(groups, rule);
  if (table.Affordable(table_work)) return {table.Run(), false, true};
  return {Bounded(groups, rule), false, false};
}

}  // namespace sealane::scheduler
