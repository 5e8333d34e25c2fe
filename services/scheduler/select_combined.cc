#include "services/scheduler/select_combined.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::scheduler {
namespace {

using By = SpreadRule::By;

constexpr int64_t kMaxLooks = 4'000'000;
constexpr int64_t kMinSteps = 100;

// The groups of one cluster under one grouping constraint.
std::vector<std::string> GroupNames(const SpreadRule& rule, const ClusterInfo& cluster) {
  switch (rule.by) {
    case By::kRegion:
      return {cluster.region};
    case By::kProvider:
      return {cluster.provider};
    case By::kZone:
      return cluster.zones;
    case By::kLabel: {
      const std::string* value = LabelsView(cluster.labels).Find(rule.label);
      return value == nullptr ? std::vector<std::string>() : std::vector<std::string>{*value};
    }
    case By::kCluster:
      break;
  }
  return {};
}

class CombinedSearch {
 public:
  CombinedSearch(const Request& request, const Candidates& candidates, int64_t budget)
      : candidates_(candidates), budget_(budget) {
    for (const SpreadRule& rule : request.spread) {
      if (rule.by == By::kCluster) {
        min_clusters_ = rule.min_groups;
        max_clusters_ = rule.max_groups;
      } else {
        AddDimension(rule);
      }
    }
    taken_.assign(candidates.size(), false);
    FindKinds();
    const auto kinds = static_cast<int64_t>(kinds_.size());
    budget_ =
        std::min(budget_, std::max<int64_t>(kMinSteps, kMaxLooks / std::max<int64_t>(1, kinds)));
  }

  absl::StatusOr<Candidates> Run() {
    if (!Reach()) {
      return FailedPrecondition(
          budget_ < 0
              ? "no choice of clusters that meets all spread constraints was found within the "
                "bounded search"
              : "no choice of clusters meets all spread constraints");
    }
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (!taken_[i] && Allowed(i)) Take(i);
    }
    Candidates chosen;
    for (size_t index : order_) chosen.push_back(candidates_[index]);
    return chosen;
  }

 private:
  struct Dimension {
    int64_t min = 0;
    int64_t max = 0;
    std::vector<std::vector<size_t>> groups_of;  // by candidate
    std::vector<int64_t> members;                // chosen clusters, by group
    int64_t covered = 0;                         // groups with members
  };

  void AddDimension(const SpreadRule& rule) {
    Dimension& dimension = dimensions_.emplace_back();
    dimension.min = rule.min_groups;
    dimension.max = rule.max_groups;
    std::map<std::string, size_t> ids;
    for (const Candidate& candidate : candidates_) {
      std::vector<size_t>& own = dimension.groups_of.emplace_back();
      for (const std::string& name : GroupNames(rule, *candidate.cluster)) {
        const size_t id = ids.emplace(name, ids.size()).first->second;
        if (std::find(own.begin(), own.end(), id) == own.end()) own.push_back(id);
      }
    }
    dimension.members.assign(ids.size(), 0);
  }

  // Candidates that stand in the same groups everywhere.
  struct Kind {
    std::vector<size_t> members;  // in the given order
    size_t used = 0;              // of them, from the first on
  };

  void FindKinds() {
    std::map<std::vector<size_t>, size_t> ids;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      std::vector<size_t> signature;
      for (const Dimension& dimension : dimensions_) {
        std::vector<size_t> groups = dimension.groups_of[i];
        std::sort(groups.begin(), groups.end());
        signature.push_back(groups.size());
        signature.insert(signature.end(), groups.begin(), groups.end());
      }
      const size_t id = ids.emplace(std::move(signature), kinds_.size()).first->second;
      if (id == kinds_.size()) kinds_.emplace_back();
      kinds_[id].members.push_back(i);
      kind_of_.push_back(id);
    }
  }

  // Takes candidates in order until there are enough of them; false (and nothing is taken) when the
  // maxima do not allow that.
  bool FillToMinimum() {
    const size_t before = order_.size();
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (static_cast<int64_t>(order_.size()) >= min_clusters_) return true;
      if (!taken_[i] && Allowed(i)) Take(i);
    }
    if (static_cast<int64_t>(order_.size()) >= min_clusters_) return true;
    while (order_.size() > before) GiveBack();
    return false;
  }

  static int64_t NewGroups(const Dimension& dimension, size_t candidate) {
    int64_t count = 0;
    for (size_t group : dimension.groups_of[candidate]) {
      if (dimension.members[group] == 0) ++count;
    }
    return count;
  }

  // Whether the candidate may join without breaking a maximum.
  [[nodiscard]] bool Allowed(size_t candidate) const {
    if (static_cast<int64_t>(order_.size()) >= max_clusters_) return false;
    return std::all_of(dimensions_.begin(), dimensions_.end(), [candidate](const Dimension& d) {
      return d.covered + NewGroups(d, candidate) <= d.max;
    });
  }

  // How many unmet constraints the candidate brings closer to their minimum.
  [[nodiscard]] int64_t Helps(size_t candidate) const {
    int64_t count = 0;
    for (const Dimension& dimension : dimensions_) {
      if (dimension.covered < dimension.min && NewGroups(dimension, candidate) > 0) ++count;
    }
    return count;
  }

  [[nodiscard]] bool MinimaMet() const {
    return std::all_of(dimensions_.begin(), dimensions_.end(),
                       [](const Dimension& d) { return d.covered >= d.min; });
  }

  void Take(size_t candidate) {
    taken_[candidate] = true;
    order_.push_back(candidate);
    ++kinds_[kind_of_[candidate]].used;
    for (Dimension& dimension : dimensions_) {
      for (size_t group : dimension.groups_of[candidate]) {
        if (dimension.members[group]++ == 0) ++dimension.covered;
      }
    }
  }

  void GiveBack() {
    const size_t candidate = order_.back();
    order_.pop_back();
    taken_[candidate] = false;
    --kinds_[kind_of_[candidate]].used;
    for (Dimension& dimension : dimensions_) {
      for (size_t group : dimension.groups_of[candidate]) {
        if (--dimension.members[group] == 0) --dimension.covered;
      }
    }
  }

  // Extends the choice until every minimum is met; false when that is impossible (or the budget is
  // used up).
  bool Reach() {
    if (--budget_ < 0) return false;
    const bool groups_met = MinimaMet();
    if (groups_met && FillToMinimum()) return true;
    std::vector<std::pair<int64_t, size_t>> next;  // -helps, place
    for (const Kind& kind : kinds_) {
      // Members are taken from the first on, so the next one is free.
      if (kind.used == kind.members.size()) continue;
      const size_t i = kind.members[kind.used];
      if (!Allowed(i)) continue;
      const int64_t helps = Helps(i);
      if (groups_met || helps > 0) next.emplace_back(-helps, i);
    }
    std::sort(next.begin(), next.end());
    for (const auto& entry : next) {
      Take(entry.second);
      if (Reach()) return true;
      GiveBack();
      if (budget_ < 0) return false;
    }
    return false;
  }

  const Candidates& candidates_;
  int64_t budget_;
  int64_t min_clusters_ = 0;
  int64_t max_clusters_ = std::numeric_limits<int64_t>::max();
  std::vector<Dimension> dimensions_;
  std::vector<Kind> kinds_;
  std::vector<size_t> kind_of_;  // by candidate
  std::vector<bool> taken_;
  std::vector<size_t> order_;
};

}  // namespace

absl::StatusOr<Candidates> ChooseCombined(const Request& request, const Candidates& candidates,
                                          int64_t budget) {
  return CombinedSearch(request, candidates, budget).Run();
}

}  // namespace sealane::scheduler
